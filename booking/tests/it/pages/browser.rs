//! A browser without scripts: it keeps cookies, sends forms and does not follow redirects by itself.

use admission::{ids::DropId, presented};

use crate::fixture::{Fan, Fixture, Sale};

pub(super) struct Browser<'a> {
    fixture: &'a Fixture,
    cookies: Vec<(String, String)>,
}

/// What came back.
pub(super) struct Page {
    pub(super) status: u16,
    location: Option<String>,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) text: String,
}

pub(super) fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl<'a> Browser<'a> {
    pub(super) fn new(fixture: &'a Fixture) -> Self {
        Self { fixture, cookies: Vec::new() }
    }

    pub(super) async fn signed_in(fixture: &'a Fixture) -> Self {
        Self::of(fixture, &fixture.fan().await)
    }

    pub(super) fn of(fixture: &'a Fixture, fan: &Fan) -> Self {
        let cookies =
            [(presented::VISITOR_COOKIE, fan.visitor.expose()), (presented::SESSION_COOKIE, fan.session.clone())];
        Self { fixture, cookies: cookies.map(|(name, value)| (name.to_owned(), value)).to_vec() }
    }

    /// Signed in, and let into the sale.
    pub(super) async fn admitted(fixture: &'a Fixture, sale: &Sale) -> Self {
        let fan = fixture.fan().await;
        let mut browser = Self::of(fixture, &fan);
        let token = fixture.admit(&sale.drop, &fan.visitor);
        browser.cookies.push((presented::admission_cookie(&sale.drop), token));
        browser
    }

    /// Keeps the cookies that came with a page; an empty one is forgotten.
    pub(super) fn keep(&mut self, page: &Page) {
        for cookie in page.headers.get_all("set-cookie") {
            let pair = cookie.to_str().expect("text").split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            self.cookies.retain(|(own, _)| own != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    pub(super) fn has_cookie(&self, name: &str) -> bool {
        self.cookies.iter().any(|(own, _)| own == name)
    }

    pub(super) fn sign_out(&mut self) {
        self.cookies.retain(|(name, _)| name != presented::SESSION_COOKIE);
    }

    /// Sends the admission to one drop as if it were to another.
    pub(super) fn rename(&mut self, from: &DropId, to: &DropId) {
        for (name, _) in &mut self.cookies {
            if *name == presented::admission_cookie(from) {
                *name = presented::admission_cookie(to);
            }
        }
    }

    pub(super) fn copy_admission(&mut self, from: &Browser<'_>, drop: &DropId) {
        let name = presented::admission_cookie(drop);
        self.cookies.extend(from.cookies.iter().filter(|(own, _)| *own == name).cloned());
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.send(self.fixture.http.get(self.url(path))).await
    }

    pub(super) async fn post(&self, path: &str, form: &[(String, String)]) -> Page {
        self.send(self.fixture.http.post(self.url(path)).form(form).header("Sec-Fetch-Site", "same-origin")).await
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http://") { path.to_owned() } else { format!("{}{path}", self.fixture.url) }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let response = request.header("Cookie", cookies.join("; ")).header("Accept", "text/html").send().await;
        let response = response.expect("an answer");
        let location = response.headers().get("location").map(|to| to.to_str().expect("text").to_owned());
        Page {
            status: response.status().as_u16(),
            location,
            headers: response.headers().clone(),
            text: response.text().await.expect("a page"),
        }
    }
}

impl Page {
    /// Where a 303 leads.
    pub(super) fn location(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.text);
        self.location.clone().expect("a location")
    }

    /// The first hidden field of this name.
    pub(super) fn field(&self, name: &str) -> String {
        let start = format!(r#"name="{name}" value=""#);
        let rest = self.text.split_once(&start).unwrap_or_else(|| panic!("no field {name}: {}", self.text)).1;
        rest.split('"').next().expect("a value").to_owned()
    }

    /// Whether the checkbox of this seat is checked.
    pub(super) fn checked(&self, seat: &str) -> bool {
        let start = format!(r#"value="{seat}""#);
        self.text
            .split_once(&start)
            .is_some_and(|(_, rest)| rest.split('>').next().unwrap_or_default().contains("checked"))
    }
}
