//! `GET /v1/payment_intents/{id}`. <https://docs.stripe.com/api/payment_intents/retrieve>

use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
};

use crate::sandbox::{
    auth::Caller,
    book::Book,
    error::ApiError,
    faults::Call,
    form::Form,
    provider::{Provider, Reply},
};

pub(super) async fn fetch(
    State(provider): State<Provider>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Reply, ApiError> {
    let caller = Caller::of(&headers, provider.settings())?;
    let mut form = Form::parse(query.unwrap_or_default().as_bytes());
    let client_secret = form.take("client_secret");
    let expand_charge = form.take_expand("latest_charge");
    form.done()?;
    let look = |book: &Book| {
        let intent = book
            .intent(&id)
            .filter(|intent| caller == Caller::Shop || client_secret.as_deref() == Some(intent.client_secret.as_str()));
        let intent = intent.ok_or_else(|| ApiError::no_such("payment_intent", &id))?;
        Ok(intent.view(expand_charge))
    };
    provider.read(Call::Fetch, look).await
}
