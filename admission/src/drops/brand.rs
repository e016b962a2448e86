//! The logo of a drop, and what fans see of its brand.

use serde_json::json;
use sqlx::PgPool;

use super::{Decision, Drop, DropError, rows, steer};
use crate::{brand::Logo, ids::DropId, line::Line};

/// Gives the drop another logo, or none.
pub async fn change_logo(
    pool: &PgPool,
    line: &Line,
    id: &DropId,
    logo: Option<&Logo>,
    actor: &str,
) -> Result<Drop, DropError> {
    let detail = json!({ "logo": logo.map(Logo::file) });
    let decision = Decision { logo: Some(logo), ..Decision::new("drop.logo", detail) };
    let drop = steer(pool, line, id, actor, decision, |_| Ok(())).await?;
    show_brand(pool, line, &drop).await?;
    Ok(drop)
}

/// Puts the brand where the waitrooms read it; repeating it changes nothing.
pub async fn show_brand(pool: &PgPool, line: &Line, drop: &Drop) -> Result<(), DropError> {
    let logo = match &drop.logo {
        Some(_) => rows::logo(pool, &drop.id).await?,
        None => None,
    };
    // one that went away meanwhile is told by whoever took it
    let file = drop.logo.as_deref().filter(|_| logo.is_some());
    let face = drop.settings.brand.face(file);
    Ok(line.show_brand(&drop.id, &face, logo.as_ref().map(|(kind, bytes)| (kind.as_str(), bytes.as_slice()))).await?)
}
