//! `/3ds/{id}`: the bank's page, where the payer approves or refuses. Plain HTML and a form; it works without
//! JavaScript and leads back to the shop, as Stripe's page does:
//! <https://docs.stripe.com/payments/3d-secure/authentication-flow#return-url>

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse as _, Response},
};
use reqwest::Url;

use crate::sandbox::{
    command::{Change, Command},
    form::Form,
    intent::{Intent, Status},
    provider::Provider,
};

pub(super) async fn page(State(provider): State<Provider>, Path(id): Path<String>) -> Response {
    let Some(intent) = provider.book().intent(&id).cloned() else {
        return document(StatusCode::NOT_FOUND, "No such payment", "<p>The bank knows of no such payment.</p>");
    };
    if intent.status != Status::RequiresAction {
        return document(StatusCode::OK, "Nothing to approve", &nothing_to_do(&intent));
    }
    let content = format!(
        r#"<p>A shop asks for <strong>{amount}</strong>. Is it you who is paying?</p>
<form method="post">
<button name="outcome" value="approve">Approve the payment</button>
<button name="outcome" value="fail">Refuse the payment</button>
</form>"#,
        amount = shown_amount(&intent),
    );
    document(StatusCode::OK, "Approve your payment", &content)
}

/// 303 to the shop with the outcome, or a page when the shop named no address.
pub(super) async fn answer(State(provider): State<Provider>, Path(id): Path<String>, body: Bytes) -> Response {
    let approved = match Form::parse(&body).take("outcome").as_deref() {
        Some("approve") => true,
        Some("fail") => false,
        _ => {
            return document(StatusCode::BAD_REQUEST, "Not understood", "<p>Go back and press one of the buttons.</p>");
        }
    };
    let change = Change::Challenge { approved };
    // pressing twice changes nothing: the answer below tells how the payment stands
    provider.run(Command::Change { intent: id.clone(), change }, None).await;
    let Some(intent) = provider.book().intent(&id).cloned() else {
        return document(StatusCode::NOT_FOUND, "No such payment", "<p>The bank knows of no such payment.</p>");
    };
    match back(&intent) {
        Some(url) => (StatusCode::SEE_OTHER, [(header::LOCATION, url.to_string())]).into_response(),
        None => document(StatusCode::OK, "Thank you", "<p>You can close this page and go back to the shop.</p>"),
    }
}

fn back(intent: &Intent) -> Option<Url> {
    let mut url = Url::parse(intent.return_url.as_deref()?).ok()?;
    let succeeded = matches!(intent.status, Status::RequiresCapture | Status::Succeeded);
    url.query_pairs_mut()
        .append_pair("payment_intent", &intent.id)
        .append_pair("payment_intent_client_secret", &intent.client_secret)
        .append_pair("redirect_status", if succeeded { "succeeded" } else { "failed" });
    Some(url)
}

fn nothing_to_do(intent: &Intent) -> String {
    match back(intent) {
        Some(url) => {
            // an address may hold what ends an attribute
            let url = url.as_str().replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
            format!(r#"<p>This payment does not wait for you. <a href="{url}">Back to the shop</a></p>"#)
        }
        None => "<p>This payment does not wait for you. You can close this page.</p>".to_owned(),
    }
}

/// Minor units with two digits, which is right for the demo's currencies and close enough for a test bank.
fn shown_amount(intent: &Intent) -> String {
    format!("{}.{:02} {}", intent.amount / 100, intent.amount % 100, intent.currency.to_ascii_uppercase())
}

fn document(status: StatusCode, title: &str, content: &str) -> Response {
    let page = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – Sandbox Bank</title>
<style>
body {{ font: 1.125rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 3rem auto; padding: 0 1rem; color: #1a1a1a; background: #fff }}
button {{ display: block; width: 100%; margin: 1rem 0; padding: .75rem; font: inherit; border: 2px solid #1a1a1a; border-radius: .25rem; background: #fff; color: inherit }}
button[value=approve] {{ background: #14532d; border-color: #14532d; color: #fff }}
button:focus-visible {{ outline: 3px solid #1d4ed8; outline-offset: 2px }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
<p><small>Sandbox Bank. No real money moves here.</small></p>
</main>
</body>
</html>
"#
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";
    let headers = [(header::CONTENT_SECURITY_POLICY, policy), (header::CACHE_CONTROL, "no-store")];
    (status, headers, Html(page)).into_response()
}
