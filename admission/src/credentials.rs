//! What clients show, as OpenAPI describes it. Several roles ask for the same things: they are named here
//! once.

use shared::openapi::Credential;

/// A fan's signed-in account.
pub fn session() -> Credential {
    let description = "A fan's session, from `POST /sessions`; in browsers the cookie `__Host-onsale-session`. \
                       Writes by cookie must come from our own pages.";
    Credential::bearer("session", description, &[(401, "session-missing, session-invalid")])
}

/// Whose place it is.
pub fn visitor() -> Credential {
    let description = "The visitor secret: 32 random bytes in base64url without padding, the client's own; in browsers \
                       the cookie `__Host-onsale-visitor`.";
    Credential::header("visitor", "Onsale-Visitor", description, &[(400, "malformed")])
}

/// The receipt of a place.
pub fn pass() -> Credential {
    let description = "The pass that joining gave; in browsers the cookie `__Host-onsale-pass-<drop>`. It brings the \
                       place back at its old rank should the line be lost.";
    Credential::header("pass", "Onsale-Pass", description, &[(401, "pass-invalid"), (403, "visitor-mismatch")])
}

/// The right to buy.
pub fn admission() -> Credential {
    let description = "The admission token (JWT, EdDSA, keys at `/.well-known/jwks.json`); good only together with the \
                       visitor secret it is bound to.";
    const REFUSED: &[(u16, &str)] = &[
        (401, "admission-missing, admission-invalid, admission-expired, admission-not-yet-valid"),
        (403, "visitor-mismatch"),
    ];
    Credential::header("admission", "Onsale-Admission", description, REFUSED)
}

/// A signed-in operator.
pub(crate) fn operator() -> Credential {
    let description = "An operator's session, from `POST /ops/api/sessions`; in browsers the cookie \
                       `__Host-onsale-operator`. Writes by cookie must come from our own pages.";
    Credential::bearer("operator", description, &[(401, "session-missing, session-invalid")])
}
