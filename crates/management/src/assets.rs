//! The UI: files that are in the binary.

use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use hyper::{Method, StatusCode};

use crate::reply::{Answer, Failure, Reply};

/// The folder `ui`. A debug build reads it when asked, so that who works on it need not build.
#[derive(rust_embed::RustEmbed)]
#[folder = "ui"]
struct Ui;

/// What can be done with a file.
pub(crate) const ALLOW: &str = "HEAD, GET, OPTIONS";

/// Types by the ends of names.
const TYPES: &[(&str, &str)] = &[
    ("css", "text/css; charset=utf-8"),
    ("html", "text/html; charset=utf-8"),
    ("ico", "image/x-icon"),
    ("js", "text/javascript; charset=utf-8"),
    ("json", "application/json"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain; charset=utf-8"),
    ("woff2", "font/woff2"),
];

/// Answers for a path that is none of the API's.
pub(crate) fn answer(method: &Method, path: &str, headers: &HeaderMap) -> Answer {
    match *method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS => return Ok(Reply::empty(StatusCode::OK)),
        _ => return Ok(Reply::empty(StatusCode::METHOD_NOT_ALLOWED)),
    }
    let name = match path.strip_prefix('/') {
        Some("") => "index.html",
        Some(name) => name,
        None => return Err(Failure::no_object()),
    };
    let file = Ui::get(name).ok_or_else(Failure::no_object)?;
    let hash = file.metadata.sha256_hash();
    let tag: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let known = headers.get(IF_NONE_MATCH).and_then(|it| it.to_str().ok());
    let is_known = known.is_some_and(|known| known == "*" || known.split(", ").any(|it| it == tag));
    let mut reply = match is_known {
        true => Reply::empty(StatusCode::NOT_MODIFIED),
        false => Reply { status: StatusCode::OK, headers: Vec::new(), body: body(file.data) },
    };
    let fresh = HeaderValue::from_static("public, max-age=0, must-revalidate");
    reply.headers.push((CACHE_CONTROL, fresh));
    let end = name.rsplit('.').next().unwrap_or_default();
    let kind =
        TYPES.iter().find(|(it, _)| *it == end).map_or("application/octet-stream", |it| it.1);
    reply.headers.push((CONTENT_TYPE, HeaderValue::from_static(kind)));
    Ok(reply.with(ETAG, &tag))
}

fn body(data: std::borrow::Cow<'static, [u8]>) -> bytes::Bytes {
    match data {
        std::borrow::Cow::Borrowed(data) => bytes::Bytes::from_static(data),
        std::borrow::Cow::Owned(data) => data.into(),
    }
}
