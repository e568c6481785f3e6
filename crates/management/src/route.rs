//! Paths, what can be done there, and who may.

use hyper::Method;

use crate::call::Call;
use crate::reply::Answer;

/// Who may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Everybody, without a login.
    Open,
    /// Whoever has one of the tags `administrator`, `monitoring`, `policymaker`, `management`.
    Management,
    /// `monitoring` and `administrator`.
    Monitoring,
    /// `administrator`.
    Administrator,
    /// Whoever has permissions in the vhost that is named, if one is, and administrators.
    Vhost,
    /// As `Vhost`, and monitors.
    VhostVisible,
    /// Policymakers with permissions in the vhost that is named, and administrators.
    Policies,
    /// Policymakers and administrators.
    GlobalParameters,
}

/// Answers one method of one path. May block.
pub(crate) type Handler = fn(&Call<'_>) -> Answer;

/// One method of a path.
pub(crate) type Verb = (Method, Access, Handler);

/// A path: `:name` stands for any one part, also an empty one: the default exchange has no name.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    pub(crate) verbs: &'static [Verb],
}

/// Parts of a path that may name the default exchange, whose name is empty.
const MAY_BE_EMPTY: [&str; 2] = ["exchange", "source"];

impl Route {
    /// What can be done there; `HEAD` is a `GET` without a body.
    pub(crate) fn verb(&self, method: &Method) -> Option<&Verb> {
        let method = if *method == Method::HEAD { &Method::GET } else { method };
        self.verbs.iter().find(|(it, ..)| it == method)
    }

    /// The header `allow`.
    pub(crate) fn allow(&self) -> String {
        let mut methods: Vec<&str> =
            self.verbs.iter().map(|(method, ..)| method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.insert(0, "HEAD");
        }
        methods.push("OPTIONS");
        methods.join(", ")
    }

    /// The parts that stand for its `:names`, if this is a path of it.
    fn params(&self, parts: &[String]) -> Option<Vec<(&'static str, String)>> {
        let mut params = Vec::new();
        let mut given = parts.iter();
        for expected in self.path.split('/').skip(1) {
            let part = given.next()?;
            match expected.strip_prefix(':') {
                Some(name) if part.is_empty() && !MAY_BE_EMPTY.contains(&name) => return None,
                Some(name) => params.push((name, part.clone())),
                None if part == expected => {}
                _ => return None,
            }
        }
        given.next().is_none().then_some(params)
    }
}

/// The parts of a path, decoded one by one; a slash at the end does not count. `None` for a path that is
/// not encoded properly.
pub(crate) fn parts(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').map(decode).collect()
}

fn decode(part: &str) -> Option<String> {
    let is_escape = |at: usize| {
        let digits = part.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !part.match_indices('%').all(|(at, _)| is_escape(at)) {
        return None;
    }
    percent_encoding::percent_decode_str(part).decode_utf8().ok().map(Into::into)
}

/// The route of a path.
pub(crate) fn find<'r>(
    routes: &'r [Route],
    parts: &[String],
) -> Option<(&'r Route, Vec<(&'static str, String)>)> {
    routes.iter().find_map(|route| Some((route, route.params(parts)?)))
}

#[cfg(test)]
mod tests;
