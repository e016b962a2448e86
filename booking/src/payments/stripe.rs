//! The client: eight calls, form-encoded, each tried again under the same idempotency key.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use jiff::Timestamp;
use reqwest::{Method, StatusCode, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Intent, NewIntent, Page, Refund, StripeError};
use crate::metrics;

/// The API version whose shapes this code reads.
const VERSION: &str = "2025-09-30.clover";
/// One try, from connecting to the last byte.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Tries of one call, the first included.
const TRIES_MAX: u32 = 3;
/// Intents on one page of a list: as many as the provider allows.
const LIST_MAX: u32 = 100;
/// Pause before the second try; doubles with every further one, and up to half of it is added at random.
const BACKOFF: Duration = Duration::from_millis(200);

/// A handle on the provider's API; clones share connections.
#[derive(Clone)]
pub struct Stripe {
    http: reqwest::Client,
    base: Url,
    secret_key: SecretString,
}

type Form<'a> = [(&'a str, &'a str)];

struct Call<'a> {
    /// Stable name of the call in metrics.
    name: &'static str,
    method: Method,
    path: String,
    form: &'a Form<'a>,
    /// None for reads.
    idempotency_key: Option<&'a str>,
}

impl Stripe {
    /// `base` is the origin of the API; `/v1/…` is appended.
    ///
    /// # Errors
    /// When `base` is https and the machine has no certificates to trust.
    pub fn new(base: Url, secret_key: SecretString) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TRY_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("onsale/", env!("CARGO_PKG_VERSION")));
        if base.scheme() == "http" {
            // a neighbour: not behind the machine's proxy, and no reason to fail on a machine without certificates
            http = http.no_proxy().tls_certs_only([]);
        }
        let http = http.build().context("a client for the payment provider")?;
        Ok(Self { http, base, secret_key })
    }

    /// Reserves nothing yet: the fan still has to name a card. Captured by hand, and by card only, because other
    /// methods cannot wait for our decision.
    pub async fn create_intent(&self, new: &NewIntent, idempotency_key: &str) -> Result<Intent, StripeError> {
        let amount = new.amount.to_string();
        let currency = new.currency.to_ascii_lowercase();
        let booking = new.booking_id.to_string();
        let attempt = new.attempt_id.to_string();
        let [booking_key, attempt_key, origin_key] =
            [NewIntent::BOOKING, NewIntent::ATTEMPT, NewIntent::ORIGIN].map(|entry| format!("metadata[{entry}]"));
        let form = [
            ("amount", amount.as_str()),
            ("currency", currency.as_str()),
            ("capture_method", "manual"),
            ("payment_method_types[0]", "card"),
            (booking_key.as_str(), booking.as_str()),
            (attempt_key.as_str(), attempt.as_str()),
            (origin_key.as_str(), new.origin.as_str()),
        ];
        self.post("create", "v1/payment_intents".to_owned(), &form, idempotency_key).await
    }

    pub async fn fetch(&self, intent_id: &str) -> Result<Intent, StripeError> {
        let path = format!("v1/payment_intents/{}?expand[]=latest_charge", segment(intent_id)?);
        self.call(Call { name: "fetch", method: Method::GET, path, form: &[], idempotency_key: None }).await
    }

    /// Intents made from `from` to `to`, both included, newest first; those after the intent `after`.
    pub async fn list(&self, from: Timestamp, to: Timestamp, after: Option<&str>) -> Result<Page, StripeError> {
        let after = after.map(segment).transpose()?.map(|after| format!("&starting_after={after}"));
        let path = format!(
            "v1/payment_intents?limit={LIST_MAX}&expand[]=data.latest_charge&created[gte]={}&created[lte]={}{}",
            from.as_second(),
            to.as_second(),
            after.unwrap_or_default(),
        );
        self.call(Call { name: "list", method: Method::GET, path, form: &[], idempotency_key: None }).await
    }

    /// Authorises on the fan's behalf. Afterwards the intent is `requires_capture`, or `requires_action` with a
    /// `next_action` that ends at `return_url`.
    ///
    /// # Errors
    /// `Declined` when the card was refused.
    pub async fn confirm(
        &self,
        intent_id: &str,
        payment_method: &str,
        return_url: &str,
    ) -> Result<Intent, StripeError> {
        // a new key for every call: the same card may be tried again, only our own retries are one attempt
        let key = format!("confirm-{}", Uuid::new_v4());
        let form = [("payment_method", payment_method), ("return_url", return_url)];
        self.post("confirm", format!("v1/payment_intents/{}/confirm", segment(intent_id)?), &form, &key).await
    }

    /// Takes the whole authorised amount.
    pub async fn capture(&self, intent_id: &str, idempotency_key: &str) -> Result<Intent, StripeError> {
        let path = format!("v1/payment_intents/{}/capture", segment(intent_id)?);
        self.post("capture", path, &[], idempotency_key).await
    }

    /// Gives up an intent that was not captured, and the authorisation with it.
    pub async fn cancel(&self, intent_id: &str, idempotency_key: &str) -> Result<Intent, StripeError> {
        let path = format!("v1/payment_intents/{}/cancel", segment(intent_id)?);
        self.post("cancel", path, &[], idempotency_key).await
    }

    /// Gives all captured money back.
    pub async fn refund(&self, intent_id: &str, idempotency_key: &str) -> Result<Refund, StripeError> {
        self.post("refund", "v1/refunds".to_owned(), &[("payment_intent", intent_id)], idempotency_key).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        name: &'static str,
        path: String,
        form: &Form<'_>,
        idempotency_key: &str,
    ) -> Result<T, StripeError> {
        self.call(Call { name, method: Method::POST, path, form, idempotency_key: Some(idempotency_key) }).await
    }

    async fn call<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, StripeError> {
        let started = Instant::now();
        let result = self.call_with_retries(&call).await;
        let outcome = match &result {
            Ok(_) => "ok",
            Err(StripeError::Declined { .. }) => "declined",
            Err(StripeError::Api { .. }) => "refused",
            Err(StripeError::Failed { .. } | StripeError::Unavailable(_)) => "unavailable",
        };
        ::metrics::histogram!(metrics::PROVIDER_SECONDS, "call" => call.name, "outcome" => outcome)
            .record(started.elapsed());
        result
    }

    async fn call_with_retries<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, StripeError> {
        let mut tries = 1;
        loop {
            let error = match self.try_once(call).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Again(error)) => error,
            };
            if tries == TRIES_MAX {
                return Err(error);
            }
            let pause = BACKOFF * 2_u32.pow(tries - 1);
            tokio::time::sleep(pause + pause.mul_f64(rand::random::<f64>() / 2.0)).await;
            tries += 1;
        }
    }

    async fn try_once<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Failure> {
        let url = self.base.join(&call.path).map_err(|error| Failure::Final(StripeError::Unavailable(error.into())))?;
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .bearer_auth(self.secret_key.expose_secret())
            .header("Stripe-Version", VERSION);
        if let Some(key) = call.idempotency_key {
            request = request.header("Idempotency-Key", key).form(call.form);
        }
        let response = request.send().await.map_err(Failure::broken_off)?;
        let status = response.status();
        let advice = response.headers().get("stripe-should-retry").map(|value| value.as_bytes() == b"true");
        // reading may break off in the middle, which is as good as no answer
        let body = response.bytes().await.map_err(Failure::broken_off)?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .context("an answer of the payment provider")
                .map_err(|error| Failure::Final(StripeError::Unavailable(error)));
        }
        Err(refusal(status, advice, &body))
    }
}

enum Failure {
    /// Worth another try under the same key.
    Again(StripeError),
    Final(StripeError),
}

impl Failure {
    fn broken_off(error: reqwest::Error) -> Self {
        Self::Again(StripeError::Unavailable(error.without_url().into()))
    }
}

/// <https://docs.stripe.com/error-low-level>: 409 is our own request still under way, 429 and 5xx pass.
fn refusal(status: StatusCode, advice: Option<bool>, body: &[u8]) -> Failure {
    let error = serde_json::from_slice::<ErrorBody>(body).map(|body| body.error).unwrap_or_default();
    let failed = status.is_server_error();
    let passing = failed || matches!(status.as_u16(), 409 | 429);
    let again = advice.unwrap_or(passing);
    if again || passing {
        let error = if failed {
            StripeError::Failed { status: status.as_u16(), kind: error.kind }
        } else {
            StripeError::Unavailable(anyhow!("answered {status} {}", error.kind))
        };
        return if again { Failure::Again(error) } else { Failure::Final(error) };
    }
    let code = error.decline_code.or(error.code).unwrap_or_default();
    let message = error.message.unwrap_or_default();
    Failure::Final(if status == StatusCode::PAYMENT_REQUIRED {
        StripeError::Declined { code, message }
    } else {
        StripeError::Api { status: status.as_u16(), kind: error.kind, code, param: error.param, message }
    })
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ApiError,
}

#[derive(Default, Deserialize)]
struct ApiError {
    #[serde(default, rename = "type")]
    kind: String,
    code: Option<String>,
    decline_code: Option<String>,
    param: Option<String>,
    message: Option<String>,
}

/// An id that arrived in a webhook must not be able to name another path.
fn segment(intent_id: &str) -> Result<&str, StripeError> {
    let plain = !intent_id.is_empty() && intent_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain {
        Ok(intent_id)
    } else {
        Err(StripeError::Api {
            status: 404,
            kind: "invalid_request_error".to_owned(),
            code: "resource_missing".to_owned(),
            param: Some("intent".to_owned()),
            message: "not an intent's id".to_owned(),
        })
    }
}
