//! `POST /v1/payment_intents/{id}/confirm`, by the shop or by the payer's browser.
//! <https://docs.stripe.com/api/payment_intents/confirm>

use axum::{
    body::Bytes,
    extract::{OriginalUri, Path, State},
    http::{HeaderMap, header},
};

use super::idempotency_key;
use crate::sandbox::{
    auth::Caller,
    card::Card,
    command::{Change, Command},
    error::ApiError,
    form::Form,
    provider::{Provider, Reply},
};

pub(super) async fn confirm(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, ApiError> {
    let caller = Caller::of(&headers, provider.settings())?;
    let mut form = Form::parse(&body);
    let key = idempotency_key(&headers, &uri, &form)?;
    let client_secret = form.take("client_secret");
    if caller == Caller::Browser {
        let shown = client_secret.ok_or_else(|| ApiError::missing("client_secret"))?;
        let matches = provider.book().intent(&id).is_some_and(|intent| intent.client_secret == shown);
        if !matches {
            return Err(ApiError::no_such("payment_intent", &id));
        }
    }
    let payment_method = match form.take("payment_method") {
        None => None,
        Some(name) => {
            let card = Card::named(&name).ok_or_else(|| ApiError::no_such("PaymentMethod", &name))?;
            Some((name, card))
        }
    };
    let return_url = form.take("return_url");
    if return_url.as_deref().is_some_and(|url| !is_web_address(url)) {
        return Err(ApiError::unfit("return_url", "Not a valid URL."));
    }
    form.done()?;
    let public_url = provider.settings().public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
    let challenge_url = format!("{}/sandbox/3ds/{id}", public_url.unwrap_or_else(|| origin(&headers)));
    let change = Change::Confirm { payment_method, return_url, challenge_url };
    Ok(provider.run(Command::Change { intent: id, change }, key).await)
}

/// The bank's page is where the request came to, as far as the caller can see: proxies pass the host on.
fn origin(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = text("x-forwarded-proto").filter(|scheme| *scheme == "https").unwrap_or("http");
    let host = text(header::HOST.as_str()).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

fn is_web_address(url: &str) -> bool {
    reqwest::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
