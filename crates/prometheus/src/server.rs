//! HTTP: requests in, scrapes out, and the limits of both.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, VARY, WWW_AUTHENTICATE,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use net::{Peer, Serve, Socket};
use operator::Metrics;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::body::{Gone, Page, Pieces, piped};
use crate::login::{self, Denied};
use crate::request::{Place, Registry, Selection, place};
use crate::scrape::Scrape;
use crate::telemetry::{CONTENT_TYPE as TEXT, Telemetry};

/// Connections at a time, unless the configuration says otherwise; who comes when there are as many is
/// hung up on.
const CONNECTIONS_MAX: usize = 256;

/// Scrapes at a time: each has a thread, and the numbers of all objects.
const SCRAPES_MAX: usize = 4;

/// Time that others wait for their turn.
const SCRAPE_WAIT_MAX: Duration = Duration::from_secs(10);

/// Time that a wrong password costs.
const WRONG_PASSWORD_DELAY: Duration = Duration::from_millis(250);

/// What can be done at every path.
const ALLOWED: &str = "HEAD, GET, OPTIONS";

/// RabbitMQ's answer to paths that are none.
const NOT_FOUND: &str = r#"{"error":"Object Not Found","reason":"Not Found"}"#;

type ReplyBody = Either<Full<Bytes>, Pieces>;

/// The metrics of a broker. Clones share it.
#[derive(Clone)]
pub struct Http {
    shared: Arc<Shared>,
}

struct Shared {
    broker: Arc<dyn Metrics>,
    settings: config::Prometheus,
    telemetry: Telemetry,
    connections: Arc<Semaphore>,
    scrapes: Arc<Semaphore>,
}

impl Http {
    /// Answers for `broker`.
    #[must_use]
    pub fn new(broker: Arc<dyn Metrics>, settings: config::Prometheus) -> Self {
        let connections = settings.connections_max.unwrap_or(CONNECTIONS_MAX);
        let connections = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        let scrapes = Arc::new(Semaphore::new(SCRAPES_MAX));
        let telemetry = Telemetry::default();
        Self { shared: Arc::new(Shared { broker, settings, telemetry, connections, scrapes }) }
    }
}

impl Serve for Http {
    async fn serve(self, socket: impl Socket + Send + 'static, peer: Peer) {
        let shared = self.shared;
        let Ok(_permit) = shared.connections.clone().try_acquire_owned() else {
            debug!(peer = %peer.peer, "too many connections for metrics");
            return;
        };
        let head_timeout = shared.settings.request_timeout;
        let service = service_fn(move |request| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(shared.respond(request, peer.peer.ip()).await) }
        });
        if let Err(error) = net::drive_http(socket, head_timeout, service).await {
            debug!(peer = %peer.peer, %error, "a connection for metrics ended early");
        }
    }
}

impl Shared {
    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Response<ReplyBody> {
        let (head, _) = request.into_parts();
        let mut response = match place(head.uri.path(), &self.settings.path) {
            Place::Nowhere => {
                let mut response = text(StatusCode::NOT_FOUND, NOT_FOUND);
                put(response.headers_mut(), CONTENT_TYPE, "application/json");
                response
            }
            Place::Registry(registry) => {
                let query = head.uri.query().unwrap_or_default();
                self.respond_at(Some(registry), &head.method, query, &head.headers, peer).await
            }
            Place::UnknownRegistry => {
                self.respond_at(None, &head.method, "", &head.headers, peer).await
            }
        };
        put(response.headers_mut(), VARY, "accept-encoding");
        response
    }

    async fn respond_at(
        self: Arc<Self>,
        registry: Option<Registry>,
        method: &Method,
        query: &str,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Response<ReplyBody> {
        if !is_known(method) {
            return empty(StatusCode::NOT_IMPLEMENTED);
        }
        let mut response = match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => {
                self.respond_to(registry, method, query, headers, peer).await
            }
            _ => empty(StatusCode::METHOD_NOT_ALLOWED),
        };
        if *method != Method::HEAD {
            put(response.headers_mut(), ALLOW, ALLOWED);
        }
        response
    }

    async fn respond_to(
        self: Arc<Self>,
        registry: Option<Registry>,
        method: &Method,
        query: &str,
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Response<ReplyBody> {
        if self.settings.is_login_needed
            && let Err(denied) = self.clone().log_in(headers, peer).await
        {
            return refused(denied);
        }
        if *method == Method::OPTIONS {
            return empty(StatusCode::OK);
        }
        if !is_text_acceptable(headers) {
            return empty(StatusCode::NOT_ACCEPTABLE);
        }
        if *method == Method::HEAD {
            return empty(StatusCode::NO_CONTENT);
        }
        let Some(registry) = registry else {
            return text(StatusCode::NOT_FOUND, "Unknown Registry");
        };
        match Selection::parse(query) {
            Ok(selection) => self.scrape(registry, selection, takes_gzip(headers)).await,
            Err(reason) if reason.is_empty() => empty(StatusCode::BAD_REQUEST),
            Err(reason) => text(StatusCode::BAD_REQUEST, &reason),
        }
    }

    async fn log_in(self: Arc<Self>, headers: &HeaderMap, peer: IpAddr) -> Result<(), Denied> {
        let credentials = login::credentials(headers)?;
        let checked =
            tokio::task::spawn_blocking(move || login::check(&*self.broker, peer, &credentials));
        let checked = checked.await.unwrap_or(Err(Denied::Malformed));
        if let Err(Denied::Refused(reason)) = checked {
            warn!("HTTP access denied: {reason}");
            tokio::time::sleep(WRONG_PASSWORD_DELAY).await;
        }
        checked
    }

    /// Begins a scrape; its thread goes on while the body is sent.
    async fn scrape(
        self: Arc<Self>,
        registry: Registry,
        selection: Selection,
        takes_gzip: bool,
    ) -> Response<ReplyBody> {
        let turn = timeout(SCRAPE_WAIT_MAX, self.scrapes.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            debug!("too many scrapes");
            return empty(StatusCode::SERVICE_UNAVAILABLE);
        };
        let is_compressed = takes_gzip && self.settings.is_compressed;
        let (page, pieces) = piped(is_compressed);
        tokio::task::spawn_blocking(move || self.write(registry, &selection, page, turn));
        let mut response = Response::new(Either::Right(pieces));
        put(response.headers_mut(), CONTENT_TYPE, TEXT);
        if is_compressed {
            put(response.headers_mut(), CONTENT_ENCODING, "gzip");
        }
        response
    }

    fn write(
        &self,
        registry: Registry,
        selection: &Selection,
        mut page: Page,
        _turn: OwnedSemaphorePermit,
    ) {
        let began = Instant::now();
        let is_per_object = self.settings.is_per_object;
        let scrape = Scrape { broker: &*self.broker, registry, is_per_object, selection };
        self.telemetry.put(registry, &mut page.text);
        let note = |bytes| self.telemetry.add(registry, began.elapsed(), bytes);
        if let Err(Gone) = scrape.render(&mut page).and_then(|()| page.finish(note)) {
            debug!("a scrape was not taken to its end");
        }
    }
}

/// Methods that RabbitMQ knows, be they allowed or not.
fn is_known(method: &Method) -> bool {
    [
        Method::HEAD,
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::PATCH,
        Method::DELETE,
        Method::OPTIONS,
    ]
    .contains(method)
}

fn refused(denied: Denied) -> Response<ReplyBody> {
    match denied {
        Denied::Anonymous => {
            let mut response = empty(StatusCode::UNAUTHORIZED);
            let realm = "Basic realm=\"RabbitMQ Prometheus\"";
            put(response.headers_mut(), WWW_AUTHENTICATE, realm);
            response
        }
        Denied::Malformed => empty(StatusCode::BAD_REQUEST),
        Denied::Refused(reason) => {
            let body = format!(r#"{{"error":"not_authorized","reason":"{reason}"}}"#);
            let mut response = text(StatusCode::UNAUTHORIZED, &body);
            put(response.headers_mut(), CONTENT_TYPE, "application/json");
            response
        }
    }
}

fn empty(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(Either::Left(Full::default()));
    *response.status_mut() = status;
    response
}

fn text(status: StatusCode, body: &str) -> Response<ReplyBody> {
    let mut response = Response::new(Either::Left(Full::from(body.to_owned())));
    *response.status_mut() = status;
    put(response.headers_mut(), CONTENT_TYPE, "text/plain");
    response
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

/// The elements of a header, each without what follows a semicolon, and with it.
fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = (&str, &str)> {
    let values = headers.get_all(name).into_iter().filter_map(|it| it.to_str().ok());
    values.flat_map(|it| it.split(',')).map(|element| {
        let (kind, parameters) = element.split_once(';').unwrap_or((element, ""));
        (kind.trim(), parameters.trim())
    })
}

fn is_text_acceptable(headers: &HeaderMap) -> bool {
    let mut kinds = elements(headers, ACCEPT).map(|(kind, _)| kind).peekable();
    kinds.peek().is_none() || kinds.any(|it| ["text/plain", "text/*", "*/*"].contains(&it))
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    elements(headers, ACCEPT_ENCODING).any(|(kind, parameters)| {
        let is_refused = parameters.strip_prefix("q=").is_some_and(|it| it.parse() == Ok(0.0));
        kind == "gzip" && !is_refused
    })
}
