//! `POST /v1/payment_intents`. <https://docs.stripe.com/api/payment_intents/create>

use axum::{
    body::Bytes,
    extract::{OriginalUri, State},
    http::HeaderMap,
};

use super::idempotency_key;
use crate::sandbox::{
    auth::Caller,
    card::Card,
    command::{Command, Create},
    error::ApiError,
    form::Form,
    intent::CaptureMethod,
    provider::{Provider, Reply},
};

pub(super) async fn create(
    State(provider): State<Provider>,
    uri: OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, ApiError> {
    Caller::of(&headers, provider.settings())?.must_be_shop()?;
    let form = Form::parse(&body);
    let key = idempotency_key(&headers, &uri, &form)?;
    Ok(provider.run(Command::Create(parse(form)?), key).await)
}

fn parse(mut form: Form) -> Result<Create, ApiError> {
    let amount = form.take_amount("amount")?.ok_or_else(|| ApiError::missing("amount"))?;
    let currency = form.take("currency").ok_or_else(|| ApiError::missing("currency"))?.to_ascii_lowercase();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(ApiError::unfit("currency", format!("Invalid currency: {currency}.")));
    }
    let capture_method = match form.take("capture_method").as_deref() {
        None | Some("automatic" | "automatic_async") => CaptureMethod::Automatic,
        Some("manual") => CaptureMethod::Manual,
        Some(other) => return Err(ApiError::unfit("capture_method", format!("Invalid capture_method: {other}."))),
    };
    let types = form.take_list("payment_method_types");
    if let Some(other) = types.iter().find(|kind| *kind != "card") {
        return Err(ApiError::unfit("payment_method_types", format!("The payment method type {other:?} is invalid.")));
    }
    let payment_method = form.take("payment_method");
    if let Some(name) = payment_method.as_deref().filter(|name| Card::named(name).is_none()) {
        return Err(ApiError::no_such("PaymentMethod", name));
    }
    let create = Create {
        amount,
        currency,
        capture_method,
        payment_method,
        metadata: form.take_metadata()?,
        description: form.take("description"),
    };
    // named by shops, without a meaning here
    for ignored in ["automatic_payment_methods[enabled]", "automatic_payment_methods[allow_redirects]", "receipt_email"]
    {
        form.take(ignored);
    }
    form.done()?;
    Ok(create)
}
