//! Users.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use operator::{Management, UserInfo};
use serde_json::{Map, Value, json};

use super::limits;
use crate::call::Call;
use crate::json;
use crate::listing::{self, Key, Row};
use crate::reply::{Answer, Failure, Reply};

/// Most tags of one user.
const TAGS_MAX: usize = 64;

/// The tag of users that the API leaves alone.
const PROTECTED: &str = "protected";

/// The algorithm of new hashes.
const ALGORITHM: &str = "rabbit_password_hashing_sha256";

impl Row for UserInfo {
    const KEYS: &'static [Key<Self>] = &[
        ("hashing_algorithm", |u| Some(u.hashing_algorithm.clone().into())),
        ("limits", |u| Some(limits::value(&u.limits))),
        ("name", |u| Some(u.name.clone().into())),
        ("password_hash", |u| Some(u.password_hash.clone().into())),
        ("tags", |u| Some(u.tags.clone().into())),
    ];

    fn name(&self) -> &str {
        &self.name
    }
}

/// `/api/users`
pub(crate) fn list(call: &Call<'_>) -> Answer {
    listing::list(call.query, call.broker.list_users()?)
}

/// `/api/users/without-permissions`
pub(crate) fn without_permissions(call: &Call<'_>) -> Answer {
    let mut users = Vec::new();
    for user in call.broker.list_users()? {
        if call.broker.list_user_permissions(&user.name)?.is_empty() {
            users.push(user);
        }
    }
    listing::list(call.query, users)
}

pub(super) fn find(call: &Call<'_>) -> Result<UserInfo, Failure> {
    call.broker.user(call.param("user")).ok_or_else(Failure::no_object)
}

/// `/api/users/:user`
pub(crate) fn get(call: &Call<'_>) -> Answer {
    listing::object(call.query, &find(call)?)
}

fn check_not_protected(user: Option<&UserInfo>) -> Result<(), Failure> {
    match user {
        Some(user) if user.tags.iter().any(|tag| tag == PROTECTED) => {
            Err(Failure::bad_request("Protected users cannot be modified via the HTTP API"))
        }
        _ => Ok(()),
    }
}

/// A user as a body describes it. What it says of no password is that it has none.
pub(super) fn described(
    broker: &dyn Management,
    name: &str,
    body: &Map<String, Value>,
) -> Result<UserInfo, Failure> {
    let tags = body.get("tags").ok_or_else(|| Failure::bad_request("tags_not_present"))?;
    let tags = json::tags(tags)?;
    if TAGS_MAX < tags.len() {
        let text = format!("A user can have at most {TAGS_MAX} tags (received {})", tags.len());
        return Err(Failure::bad_request(text));
    }
    let password = json::text(body, "password")?;
    let hash = json::text(body, "password_hash")?;
    let algorithm = json::text(body, "hashing_algorithm")?;
    let password_hash = match (password, hash) {
        (Some(_), Some(_)) => {
            return Err(Failure::bad_request("both_password_and_password_hash_are_provided"));
        }
        (Some(""), None) | (None, None) => String::new(),
        (Some(password), None) => broker.hash_password(password),
        (None, Some(hash)) => {
            let decoded = STANDARD.decode(hash);
            decoded.map_err(|_| Failure::bad_request(json!(["not_base64", hash])))?;
            hash.to_owned()
        }
    };
    let hashing_algorithm = match (hash, algorithm) {
        (Some(_), Some(algorithm)) => algorithm.to_owned(),
        _ => ALGORITHM.to_owned(),
    };
    Ok(UserInfo {
        name: name.to_owned(),
        tags,
        password_hash,
        hashing_algorithm,
        ..Default::default()
    })
}

/// `PUT /api/users/:user`
pub(crate) fn put(call: &Call<'_>) -> Answer {
    let name = call.param("user");
    check_not_protected(call.broker.user(name).as_ref())?;
    let user = described(call.broker, name, &call.json()?)?;
    Ok(Reply::put(call.broker.put_user(&user)?))
}

/// `DELETE /api/users/:user`
pub(crate) fn delete(call: &Call<'_>) -> Answer {
    let user = find(call)?;
    check_not_protected(Some(&user))?;
    call.broker.delete_user(&user.name)?;
    Ok(Reply::no_content())
}

/// `POST /api/users/bulk-delete`: those that do not exist are gone already.
pub(crate) fn bulk_delete(call: &Call<'_>) -> Answer {
    let body = call.json_with(&["users"])?;
    let wrong = || Failure::bad_request("users should be a list of names");
    let names = body["users"].as_array().ok_or_else(wrong)?;
    let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
    for name in names.ok_or_else(wrong)? {
        if check_not_protected(call.broker.user(name).as_ref()).is_ok() {
            call.broker.delete_user(name)?;
        }
    }
    Ok(Reply::no_content())
}

/// `/api/whoami`
pub(crate) fn whoami(call: &Call<'_>) -> Answer {
    listing::value(call.query, shown(&call.caller))
}

/// Somebody who logged in.
pub(super) fn shown(caller: &crate::call::Caller) -> Value {
    json!({ "name": caller.name, "tags": caller.tags, "is_internal_user": true })
}

/// `/api/auth/hash_password/:password`
pub(crate) fn hash_password(call: &Call<'_>) -> Answer {
    Ok(Reply::json(&json!({ "ok": call.broker.hash_password(call.param("password")) })))
}
