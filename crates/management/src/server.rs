//! HTTP on sockets: requests in, answers out, and the limits of both.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, HeaderMap, HeaderName, HeaderValue, LOCATION, ORIGIN, VARY,
    WWW_AUTHENTICATE,
};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use net::{Peer, Serve, Socket};
use operator::Management;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{debug, error, warn};

use crate::api::later;
use crate::assets;
use crate::body::{self, OPEN_BODY_LEN_MAX};
use crate::call::{self, Call, Caller, Query};
use crate::login::{self, Credentials};
use crate::origin;
use crate::reply::{Answer, Failure, Reply};
use crate::route::{self, Access, Route, Verb};
use crate::routes::{DELETES_WITH_BODY, ROUTES};

/// Connections at a time; who comes when there are as many is hung up on.
const CONNECTIONS_MAX: usize = 2048;

/// Handlers at a time: each has a thread while it runs.
const HANDLERS_MAX: usize = 16;

/// Handlers of health checks and logins at a time, which do not wait for the others: whoever asks whether
/// the node is well must hear that when it is busy.
const URGENT_HANDLERS_MAX: usize = 4;

/// Passwords that are checked at a time.
const PASSWORD_CHECKS_MAX: usize = 8;

/// The paths that [`URGENT_HANDLERS_MAX`] is for.
const URGENT: [&str; 2] = ["/api/health/", "/api/login"];

/// Time that a wrong password costs.
const WRONG_PASSWORD_DELAY: Duration = Duration::from_millis(250);

/// The policy for what a browser loads, unless `management.csp.policy` is another: only what comes from
/// here, and nobody puts it into a frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Old paths, and those of RabbitMQ's page about the API, which lead to the UI.
const REDIRECTS: &[&str] = &["/api", "/api/index.html", "/doc/stats.html", "/mgmt", "/stats"];

/// The HTTP API over a broker. Clones share it.
#[derive(Clone)]
pub struct Http {
    shared: Arc<Shared>,
}

struct Shared {
    broker: Arc<dyn Management>,
    settings: config::Management,
    connections: Arc<Semaphore>,
    handlers: Arc<Semaphore>,
    urgent_handlers: Arc<Semaphore>,
    password_checks: Arc<Semaphore>,
    bodies: body::Reader,
}

impl Http {
    /// Answers for `broker`.
    #[must_use]
    pub fn new(broker: Arc<dyn Management>, settings: config::Management) -> Self {
        let permits = |max| Arc::new(Semaphore::new(max));
        let shared = Shared {
            broker,
            settings,
            connections: permits(CONNECTIONS_MAX),
            handlers: permits(HANDLERS_MAX),
            urgent_handlers: permits(URGENT_HANDLERS_MAX),
            password_checks: permits(PASSWORD_CHECKS_MAX),
            bodies: body::Reader::new(),
        };
        Self { shared: Arc::new(shared) }
    }
}

impl Serve for Http {
    async fn serve(self, socket: impl Socket + Send + 'static, peer: Peer) {
        let Ok(_permit) = self.shared.connections.clone().try_acquire_owned() else {
            debug!(peer = %peer.peer, "too many HTTP connections");
            return;
        };
        let shared = self.shared;
        let timeout = shared.settings.request_timeout;
        let service = service_fn(move |request| {
            let shared = shared.clone();
            async move { Ok::<_, Infallible>(shared.respond(request, peer.peer.ip()).await) }
        });
        if let Err(error) = net::drive_http(socket, timeout, service).await {
            debug!(peer = %peer.peer, %error, "an HTTP connection ended early");
        }
    }
}

impl Shared {
    async fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> Response<Full<Bytes>> {
        let is_head = *request.method() == Method::HEAD;
        let origin = request.headers().get(ORIGIN).cloned();
        let is_preflight = *request.method() == Method::OPTIONS;
        let (route, answer) = self.clone().answer(request, peer).await;
        if answer.as_ref().is_err_and(|it| *it == Failure::bad_credentials()) {
            tokio::time::sleep(WRONG_PASSWORD_DELAY).await;
        }
        let reply = answer.unwrap_or_else(Failure::into_reply);
        let mut response = Response::new(Full::new(reply.body));
        *response.status_mut() = reply.status;
        let headers = response.headers_mut();
        self.put_usual_headers(headers, route, reply.status);
        self.put_cors_headers(headers, origin.as_ref(), is_preflight);
        reply.headers.into_iter().for_each(|(name, value)| drop(headers.insert(name, value)));
        if is_head {
            let len = response.body().clone();
            let len = hyper::body::Body::size_hint(&len).exact().unwrap_or_default();
            response.headers_mut().insert(hyper::header::CONTENT_LENGTH, len.into());
            *response.body_mut() = Full::default();
        }
        response
    }

    fn put_usual_headers(
        &self,
        headers: &mut HeaderMap,
        route: Option<&Route>,
        status: StatusCode,
    ) {
        let cache = match status {
            StatusCode::OK => "no-cache",
            _ => "public, max-age=0, must-revalidate",
        };
        headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(VARY, HeaderValue::from_static("accept, accept-encoding, origin"));
        let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
        headers.insert(hyper::header::CONTENT_SECURITY_POLICY, policy);
        for (name, value) in &self.settings.headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        let allow = route.map_or_else(|| assets::ALLOW.to_owned(), Route::allow);
        if let Ok(allow) = HeaderValue::from_str(&allow)
            && !self.settings.is_allow_hidden
        {
            headers.insert(ALLOW, allow);
        }
    }

    /// Lets pages of the origins that are configured use the API.
    fn put_cors_headers(
        &self,
        headers: &mut HeaderMap,
        origin: Option<&HeaderValue>,
        is_preflight: bool,
    ) {
        let Some(origin) = origin else { return };
        if !origin::is_named(origin, &self.settings.cors_origins) {
            return;
        }
        let put = |headers: &mut HeaderMap, name, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        headers.insert(hyper::header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        put(headers, "access-control-allow-credentials", "true");
        put(headers, "access-control-expose-headers", "location");
        if is_preflight {
            let methods = headers.get(ALLOW).and_then(|it| it.to_str().ok()).map(str::to_owned);
            put(headers, "access-control-allow-methods", &methods.unwrap_or_default());
            put(
                headers,
                "access-control-allow-headers",
                "authorization, content-type, x-reason, x-vhost",
            );
            put(headers, "access-control-max-age", &self.settings.cors_max_age_s.to_string());
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: IpAddr,
    ) -> (Option<&'static Route>, Answer) {
        let path = request.uri().path();
        let Some(path) = path.strip_prefix(self.settings.path_prefix.as_str()) else {
            return (None, Err(Failure::no_object()));
        };
        if REDIRECTS.contains(&path.trim_end_matches('/')) {
            let to = format!("{}/", self.settings.path_prefix);
            return (None, Ok(Reply::empty(StatusCode::MOVED_PERMANENTLY).with(LOCATION, &to)));
        }
        if !path.starts_with("/api/") {
            return (None, assets::answer(request.method(), path, request.headers()));
        }
        let parts = route::parts(path);
        let found = parts.as_deref().and_then(|parts| {
            route::find(ROUTES, parts).or_else(|| route::find(later::ROUTES, parts))
        });
        let Some((route, params)) = found else { return (None, Err(Failure::no_object())) };
        (Some(route), self.answer_route(request, peer, route, params).await)
    }

    async fn answer_route(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: IpAddr,
        route: &'static Route,
        params: Vec<(&'static str, String)>,
    ) -> Answer {
        if *request.method() == Method::OPTIONS {
            return Ok(Reply::empty(StatusCode::OK));
        }
        if !origin::is_acceptable(request.method(), request.headers(), &self.settings.cors_origins)
        {
            warn!("HTTP access denied: the request comes from a page of another origin");
            return Err(Failure::forbidden("Cross-origin request refused"));
        }
        let Some(verb) = route.verb(request.method()) else {
            return Ok(Reply::empty(StatusCode::METHOD_NOT_ALLOWED));
        };
        let (head, body) = request.into_parts();
        let asked = Asked {
            query: Query::parse(head.uri.query().unwrap_or_default()),
            method: head.method,
            headers: head.headers,
            peer,
            params,
        };
        let caller = match self.clone().log_in(&asked, verb.1).await {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        if !is_json_acceptable(&asked.headers) {
            return Ok(Reply::empty(StatusCode::NOT_ACCEPTABLE));
        }
        let body = match self.body_len_max(route, verb) {
            None => body::Read::default(),
            Some(len_max) => self.bodies.read(body, len_max).await?,
        };
        let permit = permit(self.handlers_of(route)).await?;
        let this = self.clone();
        let handled = tokio::task::spawn_blocking(move || {
            // A handler runs on, with its body, when its client is gone.
            let (_permit, _room) = (permit, body.room);
            this.handle(verb, &asked, caller, body.bytes)
        });
        handled.await.unwrap_or_else(|_| {
            error!("a request ended by a bug");
            Err(Failure::internal("internal error"))
        })
    }

    /// Whose permit a handler of this path takes.
    fn handlers_of(&self, route: &Route) -> &Arc<Semaphore> {
        let is_urgent = URGENT.iter().any(|path| route.path.starts_with(path));
        if is_urgent { &self.urgent_handlers } else { &self.handlers }
    }

    fn handle(&self, verb: &Verb, asked: &Asked, caller: Caller, body: Bytes) -> Answer {
        let call = Call {
            broker: &*self.broker,
            settings: &self.settings,
            method: &asked.method,
            headers: &asked.headers,
            peer: asked.peer,
            params: &asked.params,
            query: &asked.query,
            caller,
            body,
        };
        operator::on_behalf_of(&call.caller.name, || (verb.2)(&call))
    }

    /// Bytes of the body that a method of a path reads, if it reads one.
    fn body_len_max(&self, route: &Route, (method, access, _): &Verb) -> Option<usize> {
        let has_body = match *method {
            Method::GET => false,
            Method::DELETE => DELETES_WITH_BODY.contains(&route.path),
            _ => true,
        };
        let len_max = match access {
            Access::Open => OPEN_BODY_LEN_MAX.min(self.settings.body_size_max),
            _ => self.settings.body_size_max,
        };
        has_body.then_some(len_max)
    }

    /// Who asks, and may; nobody where everybody may.
    async fn log_in(self: Arc<Self>, asked: &Asked, access: Access) -> Result<Caller, Answer> {
        if access == Access::Open {
            return Ok(Caller::default());
        }
        let (user, password) = match login::credentials(&asked.headers) {
            Credentials::Basic(user, password) if !self.settings.is_basic_auth_disabled => {
                (user, password)
            }
            Credentials::Basic(..) => {
                warn!("HTTP access denied: basic auth disabled");
                return Err(Err(Failure::not_authorised(
                    "HTTP access denied: basic auth disabled",
                )));
            }
            Credentials::Foreign => return Err(Err(Failure::bad_credentials())),
            Credentials::Malformed => return Err(Ok(Reply::empty(StatusCode::BAD_REQUEST))),
            Credentials::None => {
                warn!("HTTP access denied: no credentials");
                let reply = Reply::empty(StatusCode::UNAUTHORIZED);
                let realm = "Basic realm=\"RabbitMQ Management\"";
                return Err(Ok(reply.with(WWW_AUTHENTICATE, realm)));
            }
        };
        let (this, peer) = (self.clone(), asked.peer);
        let vhost = call::named_vhost(&asked.params, &asked.headers).map(str::to_owned);
        let permit = permit(&self.password_checks).await.map_err(Err)?;
        let checked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let caller = login::log_in(&*this.broker, peer, &user, &password)?;
            login::check(&*this.broker, access, &caller, vhost.as_deref())?;
            Ok(caller)
        });
        match checked.await {
            Ok(checked) => checked.map_err(Err),
            Err(_) => Err(Err(Failure::internal("internal error"))),
        }
    }
}

async fn permit(permits: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Failure> {
    let permit = permits.clone().acquire_owned().await;
    permit.map_err(|_| Failure::service_unavailable("shutting down"))
}

/// A request without its body.
struct Asked {
    method: Method,
    headers: HeaderMap,
    query: Query,
    peer: IpAddr,
    params: Vec<(&'static str, String)>,
}

/// Whether the client takes JSON.
fn is_json_acceptable(headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(ACCEPT).iter().filter_map(|it| it.to_str().ok()).peekable();
    if given.peek().is_none() {
        return true;
    }
    let mut kinds = given.flat_map(|it| it.split(','));
    kinds.any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        matches!(kind, "*/*" | "application/*" | "application/json")
    })
}
