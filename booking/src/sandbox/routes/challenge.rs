//! `/sandbox/3ds/{id}`: the bank's page, where the payer approves or refuses. A form; it works without JavaScript
//! and leads back to the shop, as Stripe's page does:
//! <https://docs.stripe.com/payments/3d-secure/authentication-flow#return-url>

use askama::Template;
use axum::{
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use reqwest::Url;
use shared::pages::{self, Policy, Site};

use crate::{
    pages::words,
    sandbox::{
        command::{Change, Command},
        form::Form,
        intent::{Intent, Status},
        provider::Provider,
    },
};

#[derive(Clone)]
pub(super) struct Bank {
    pub(super) provider: Provider,
    pub(super) site: Site,
}

#[derive(Template)]
#[template(path = "bank.html")]
struct Page {
    site: Site,
    says: Says,
}

/// What the bank has to say.
enum Says {
    Unknown,
    /// The amount, as people write it.
    Asks(String),
    /// Where to go on, if the shop named an address.
    Nothing(Option<String>),
    NotUnderstood,
    Thanks,
}

pub(super) async fn page(State(bank): State<Bank>, Path(id): Path<String>) -> Response {
    let Some(intent) = bank.provider.book().intent(&id).cloned() else {
        return bank.show(StatusCode::NOT_FOUND, Says::Unknown, None);
    };
    let back = bank.back(&intent);
    match intent.status {
        Status::RequiresAction => {
            let amount = words::money(intent.amount, &intent.currency.to_ascii_uppercase());
            bank.show(StatusCode::OK, Says::Asks(amount), back.as_deref())
        }
        _ => bank.show(StatusCode::OK, Says::Nothing(back), None),
    }
}

/// 303 to the shop with the outcome, or a page when the shop named no address.
pub(super) async fn answer(State(bank): State<Bank>, Path(id): Path<String>, body: Bytes) -> Response {
    let approved = match Form::parse(&body).take("outcome").as_deref() {
        Some("approve") => true,
        Some("fail") => false,
        _ => return bank.show(StatusCode::BAD_REQUEST, Says::NotUnderstood, None),
    };
    let change = Change::Challenge { approved };
    // pressing twice changes nothing: the answer below tells how the payment stands
    bank.provider.run(Command::Change { intent: id.clone(), change }, None).await;
    let Some(intent) = bank.provider.book().intent(&id).cloned() else {
        return bank.show(StatusCode::NOT_FOUND, Says::Unknown, None);
    };
    match bank.back(&intent) {
        Some(url) => (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response(),
        None => bank.show(StatusCode::OK, Says::Thanks, None),
    }
}

impl Bank {
    /// `leads_to`: where the page's form ends, which a browser's policy has to allow.
    fn show(&self, status: StatusCode, says: Says, leads_to: Option<&str>) -> Response {
        let page = pages::page(&Page { site: self.site.clone(), says });
        let shop = leads_to.and_then(|url| Url::parse(url).ok()).map(|url| url.origin().ascii_serialization());
        match shop {
            Some(shop) => {
                let policy = [(header::CONTENT_SECURITY_POLICY, Policy::default().form(&shop).header())];
                (status, policy, page).into_response()
            }
            None => (status, page).into_response(),
        }
    }

    /// The shop's address with the outcome; a mere path where shop and bank share an origin, so that a payer who
    /// came by another of its names stays where the cookies are.
    fn back(&self, intent: &Intent) -> Option<String> {
        let mut url = Url::parse(intent.return_url.as_deref()?).ok()?;
        let succeeded = matches!(intent.status, Status::RequiresCapture | Status::Succeeded);
        url.query_pairs_mut()
            .append_pair("payment_intent", &intent.id)
            .append_pair("payment_intent_client_secret", &intent.client_secret)
            .append_pair("redirect_status", if succeeded { "succeeded" } else { "failed" });
        let ours = self.provider.settings().public_url.as_deref().and_then(|ours| Url::parse(ours).ok());
        match (ours, url.query()) {
            (Some(ours), Some(query)) if ours.origin() == url.origin() => Some(format!("{}?{query}", url.path())),
            _ => Some(url.to_string()),
        }
    }
}
