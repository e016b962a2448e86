//! The content security policy: what a page may load and where its forms may lead.
//! <https://www.w3.org/TR/CSP3/>

use ::http::HeaderValue;

/// Nothing but our own origin, and nothing inline. A page that needs another origin (a payment provider's)
/// names it and sends the result as its own `Content-Security-Policy`.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    scripts: Vec<String>,
    frames: Vec<String>,
    connections: Vec<String>,
    forms: Vec<String>,
}

impl Policy {
    /// An origin scripts may come from.
    #[must_use]
    pub fn script(mut self, origin: &str) -> Self {
        self.scripts.push(origin.to_owned());
        self
    }

    /// An origin that may be framed.
    #[must_use]
    pub fn frame(mut self, origin: &str) -> Self {
        self.frames.push(origin.to_owned());
        self
    }

    /// An origin scripts may call.
    #[must_use]
    pub fn connect(mut self, origin: &str) -> Self {
        self.connections.push(origin.to_owned());
        self
    }

    /// An origin a form may lead to, by a redirect too.
    #[must_use]
    pub fn form(mut self, origin: &str) -> Self {
        self.forms.push(origin.to_owned());
        self
    }

    /// The value of `Content-Security-Policy`. An origin that no header may hold is left out.
    pub fn header(&self) -> HeaderValue {
        let with = |own: &str, others: &[String]| {
            let fit =
                others.iter().filter(|origin| origin.bytes().all(|b| b.is_ascii_graphic() && b != b';' && b != b','));
            fit.fold(own.to_owned(), |list, origin| format!("{list} {origin}"))
        };
        let frames = if self.frames.is_empty() { "'none'".to_owned() } else { with("", &self.frames) };
        let text = format!(
            "default-src 'none'; script-src {}; style-src 'self'; img-src 'self' data:; connect-src {}; frame-src {}; \
             form-action {}; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'",
            with("'self'", &self.scripts),
            with("'self'", &self.connections),
            frames.trim_start(),
            with("'self'", &self.forms),
        );
        HeaderValue::try_from(text).expect("only visible ASCII and spaces are in it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_origins_are_only_where_they_were_named() {
        let strict = Policy::default().header();
        assert!(!strict.to_str().unwrap().contains("http"), "{strict:?}");
        let policy = Policy::default().script("https://js.example").frame("https://js.example").form("x; script-src *");
        let header = policy.header();
        let text = header.to_str().unwrap();
        assert!(text.contains("script-src 'self' https://js.example;"), "{text}");
        assert!(text.contains("frame-src https://js.example;"), "{text}");
        assert!(text.contains("form-action 'self';"), "what could end a directive is left out: {text}");
    }
}
