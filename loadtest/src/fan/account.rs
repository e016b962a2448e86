//! A fan's account, made before the opening and not measured.

use http::{StatusCode, header::SET_COOKIE};
use serde_json::json;

use super::Fan;
use crate::{
    http::{Answer, Call},
    protocol::NewSession,
    record::{Ending, Kind},
};

const SESSION_COOKIE: &str = "__Host-onsale-session";

impl Fan {
    /// Registers and signs in, then hangs up: the evening begins with a connection of its own.
    ///
    /// # Errors
    /// What the server said, when it would not.
    pub(crate) async fn register(&mut self) -> Result<(), String> {
        let outcome = self.sign_up().await;
        self.client.close();
        self.record.calls.clear();
        self.record.retries.clear();
        outcome?;
        self.crowd.tallies.account();
        Ok(())
    }

    async fn sign_up(&mut self) -> Result<(), String> {
        let name = format!("fan-{}-{}", self.crowd.run, self.plan.number);
        let email = format!("{name}@fans.example");
        // as good a password as any, and nobody else's
        let password = self.visitor.clone();
        let account = Call::post("/accounts").json(&json!({
            "username": name, "email": email, "password": password,
        }));
        let answer = self.ask(Kind::Account, &account).await?;
        // after a lost answer the account may be there already: signing in will tell
        if answer.status != StatusCode::CREATED && self.record.retries.is_empty() {
            return Err(format!("POST /accounts: {}", answer.describe()));
        }
        if let Some(token) = session_cookie(&answer) {
            self.session = token;
            return Ok(());
        }
        let session = Call::post("/sessions").json(&json!({"email": email, "password": password}));
        let answer = self.ask(Kind::Session, &session).await?;
        if answer.status != StatusCode::CREATED {
            return Err(format!("POST /sessions: {}", answer.describe()));
        }
        let session: NewSession = answer.read().map_err(|trouble| trouble.to_string())?;
        self.session = session.token;
        Ok(())
    }

    async fn ask(&mut self, kind: Kind, call: &Call) -> Result<Answer, String> {
        self.call(kind, call).await.map_err(|ending| match ending {
            Ending::TimedOut { .. } => {
                format!("{} {} was not answered in time (retries: {:?})", call.method, call.path, self.record.retries)
            }
            other => format!("{other:?}"),
        })
    }
}

fn session_cookie(answer: &Answer) -> Option<String> {
    answer
        .headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|cookie| cookie.split(';').next()?.split_once('='))
        .find(|(name, value)| name.trim() == SESSION_COOKIE && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}
