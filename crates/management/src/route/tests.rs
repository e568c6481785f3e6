use super::*;
use crate::reply::Reply;

fn handler(_: &Call<'_>) -> Answer {
    Ok(Reply::no_content())
}

const ROUTES: &[Route] = &[
    Route { path: "/api/queues", verbs: &[(Method::GET, Access::Vhost, handler)] },
    Route { path: "/api/queues/detailed", verbs: &[(Method::GET, Access::Vhost, handler)] },
    Route { path: "/api/queues/:vhost", verbs: &[(Method::GET, Access::Vhost, handler)] },
    Route {
        path: "/api/queues/:vhost/:queue",
        verbs: &[(Method::PUT, Access::Vhost, handler), (Method::DELETE, Access::Vhost, handler)],
    },
    Route {
        path: "/api/exchanges/:vhost/:exchange/publish",
        verbs: &[(Method::POST, Access::Vhost, handler)],
    },
];

fn found(path: &str) -> Option<String> {
    let (route, params) = find(ROUTES, &parts(path)?)?;
    let params: Vec<_> = params.iter().map(|(name, part)| format!("{name}={part}")).collect();
    Some(format!("{} {}", route.path, params.join(" ")).trim_end().to_owned())
}

#[test]
fn a_path_has_one_route() {
    let is = |path, expected: &str| assert_eq!(found(path).as_deref(), Some(expected), "{path}");
    is("/api/queues", "/api/queues");
    is("/api/queues/", "/api/queues");
    is("/api/queues/detailed", "/api/queues/detailed");
    is("/api/queues/%2F", "/api/queues/:vhost vhost=/");
    is("/api/queues/a%2Fb%20c/q%2Fodd", "/api/queues/:vhost/:queue vhost=a/b c queue=q/odd");
    is("/api/queues/%2F/", "/api/queues/:vhost vhost=/");
    is("/api/exchanges/%2F//publish", "/api/exchanges/:vhost/:exchange/publish vhost=/ exchange=");
    // `+` is a plus in a path.
    is("/api/queues/a+b", "/api/queues/:vhost vhost=a+b");
}

#[test]
fn other_paths_have_none() {
    for path in
        ["/api/nope", "//api//queues", "/API/queues", "/api/queues/%ZZ", "/api/queues/%f", ""]
            // Nothing but the default exchange has an empty name.
            .into_iter()
            .chain([
                "/api/queues//",
                "/api/queues//q",
                "/api/queues/%2F//",
                "/api/exchanges//x/publish",
            ])
    {
        assert_eq!(found(path), None, "{path}");
    }
}

#[test]
fn allow_names_the_methods() {
    assert_eq!(ROUTES[0].allow(), "HEAD, GET, OPTIONS");
    assert_eq!(ROUTES[3].allow(), "PUT, DELETE, OPTIONS");
    assert!(ROUTES[0].verb(&Method::HEAD).is_some());
    assert!(ROUTES[3].verb(&Method::HEAD).is_none());
}
