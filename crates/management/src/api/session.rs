//! Logging in to the UI.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::users;
use crate::call::{Call, Query};
use crate::login;
use crate::reply::{Answer, Failure, Reply};

/// `POST /api/login`: a form with `username` and `password`. Answers what the browser puts into the
/// header `authorization` from then on; no cookie, so that no other page can act for it.
pub(crate) fn log_in(call: &Call<'_>) -> Answer {
    let form = Query::parse(&String::from_utf8_lossy(&call.body));
    let given = form.get("username").zip(form.get("password"));
    let (user, password) = given.ok_or_else(Failure::bad_credentials)?;
    let caller = login::log_in(call.broker, call.peer, user, password)?;
    let mut shown = users::shown(&caller);
    if let Some(minutes) = call.settings.login_session_timeout_min {
        shown["login_session_timeout"] = minutes.into();
    }
    let token = STANDARD.encode(format!("{user}:{password}"));
    Ok(Reply::json(&json!({ "user": shown, "token": { "type": "basic", "value": token } })))
}

/// `DELETE /api/login`: the browser forgets by itself.
pub(crate) fn log_out(_: &Call<'_>) -> Answer {
    Ok(Reply::no_content())
}
