//! Files in forms (RFC 7578), as far as uploads of definitions need them.

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'b> {
    pub(crate) name: String,
    /// Empty when it is no file.
    pub(crate) file_name: String,
    pub(crate) body: &'b [u8],
}

/// What separates the parts, if that is the type of a form with files.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    parameter(parameters, "boundary")
}

/// The value of one of `; name=value; ...`, which may stand in quotes.
fn parameter(parameters: &str, wanted: &str) -> Option<String> {
    let mut pairs = parameters.split(';').filter_map(|it| it.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted))?;
    Some(value.trim().trim_matches('"').to_owned())
}

/// The parts of a body. What is not one, is none.
pub(crate) fn parts<'b>(body: &'b [u8], boundary: &str) -> Vec<Part<'b>> {
    let first = format!("--{boundary}");
    let next = format!("\r\n--{boundary}");
    let mut parts = Vec::new();
    let Some(mut at) = find(body, first.as_bytes()).map(|found| found + first.len()) else {
        return parts;
    };
    // Behind the last boundary stand two dashes instead of a line's end.
    while let Some(rest) = body[at..].strip_prefix(b"\r\n") {
        let Some(len) = find(rest, next.as_bytes()) else { break };
        parts.extend(part(&rest[..len]));
        at = body.len() - rest.len() + len + next.len();
    }
    parts
}

fn part(bytes: &[u8]) -> Option<Part<'_>> {
    let end = find(bytes, b"\r\n\r\n")?;
    let (head, body) = (std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 4..]);
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (_, parameters) = disposition.split_once(';')?;
    Some(Part {
        name: parameter(parameters, "name")?,
        file_name: parameter(parameters, "filename").unwrap_or_default(),
        body,
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &[u8] = b"--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n--B\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"d.json\"\r\n\
        Content-Type: application/json\r\n\r\n{\"queues\":[]}\r\n--B--\r\n";

    #[test]
    fn a_form_has_parts() {
        let boundary = boundary("multipart/form-data; boundary=\"B\"").expect("a form");
        let found = parts(FORM, &boundary);
        let names: Vec<_> = found.iter().map(|it| (&*it.name, &*it.file_name)).collect();
        assert_eq!(names, [("x", ""), ("file", "d.json")]);
        assert_eq!(found[1].body, b"{\"queues\":[]}");
    }

    #[test]
    fn what_is_cut_has_fewer() {
        for len in 0..FORM.len() {
            let found = parts(&FORM[..len], "B");
            assert!(found.len() <= 2, "cut to {len} bytes: {found:?}");
        }
        assert_eq!(parts(b"--B\r\nno head\r\n--B--", "B"), []);
        assert_eq!(boundary("application/json"), None);
    }
}
