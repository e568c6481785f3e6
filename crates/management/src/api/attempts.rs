//! Attempts to log in.

use serde_json::{Value, json};
use statistics::AuthAttempts;

use crate::call::Call;
use crate::listing;
use crate::reply::{Answer, Reply};

fn value(attempts: &AuthAttempts) -> Value {
    let mut value = json!({
        "protocol": attempts.protocol,
        "auth_attempts": attempts.succeeded + attempts.failed,
        "auth_attempts_failed": attempts.failed,
        "auth_attempts_succeeded": attempts.succeeded,
    });
    if let Some(source) = &attempts.source {
        value["remote_address"] = source.address.to_string().into();
        value["username"] = source.user.clone().into();
    }
    value
}

/// `/api/auth/attempts/:node`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    super::nodes::require(call)?;
    listing::value(call.query, call.broker.auth_attempts().iter().map(value).collect())
}

/// `/api/auth/attempts/:node/source`
pub(crate) fn by_source(call: &Call<'_>) -> Answer {
    super::nodes::require(call)?;
    listing::value(call.query, call.broker.auth_attempts_by_source().iter().map(value).collect())
}

/// `DELETE` of both
pub(crate) fn forget(call: &Call<'_>) -> Answer {
    super::nodes::require(call)?;
    call.broker.forget_auth_attempts();
    Ok(Reply::no_content())
}
