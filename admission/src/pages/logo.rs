use axum::{
    extract::{Multipart, State, multipart::MultipartError},
    response::Response,
};
use shared::{json::Path, pages::see_other, problem::Problem};

use super::{
    drop::refuse,
    steer::Posted,
    typed::{Refusal, sentence},
};
use crate::{
    app::App,
    brand::Logo,
    drops::{self, Drop, DropError},
    error::Error,
    extract::OnPage,
    operators::Operator,
    routes::drop::drop_id,
};

/// `POST /ops/drops/{id}/logo`: takes the chosen file and leads back to the console.
pub(super) async fn upload(
    State(app): State<App>,
    OnPage(operator): OnPage,
    Path(id): Path<String>,
    form: Multipart,
) -> Result<Response, Problem> {
    let drop = drops::show(&app.pool, &drop_id(&id)?).await.map_err(Error::from)?;
    let done = match take(&app, &operator, &drop, form).await {
        Ok(()) => "logo",
        // stored; the keeper tells the line as soon as it can be reached
        Err(Refusal::Drop(DropError::Line(error))) => {
            tracing::warn!(error = &error as &dyn std::error::Error, drop = %drop.id, "a logo is not shown yet");
            "stored"
        }
        Err(refusal) => {
            return refuse(&app, &operator, &drop, &Posted::default(), refusal.told("logo")?).await;
        }
    };
    Ok(see_other(&format!("/ops/drops/{}?done={done}", drop.id)))
}

/// Whoever reloads the answer to the form.
pub(super) async fn home(Path(id): Path<String>) -> Result<Response, Error> {
    Ok(see_other(&format!("/ops/drops/{}", drop_id(&id)?)))
}

async fn take(app: &App, operator: &Operator, drop: &Drop, mut form: Multipart) -> Result<(), Refusal> {
    let unread =
        |error: MultipartError| Refusal::Field(format!("The file did not come through: {}.", error.body_text()));
    let mut file = None;
    while let Some(field) = form.next_field().await.map_err(unread)? {
        if field.name() == Some("logo") {
            file = Some(field.bytes().await.map_err(unread)?);
        }
    }
    let file = file.filter(|file| !file.is_empty()).ok_or_else(|| Refusal::Field("Choose a file first.".to_owned()))?;
    let logo = Logo::check(file.into()).map_err(|error| Refusal::Field(sentence(&error.to_string())))?;
    drops::change_logo(&app.pool, &app.line, &drop.id, Some(&logo), &operator.actor()).await?;
    Ok(())
}
