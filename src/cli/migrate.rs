//! `onsale migrate`: expand the schema before the new version runs.

use serde_json::json;
use shared::postgres;

use super::Globals;
use super::tool::Target;
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(globals: &Globals) -> Result<(), Failure> {
    let pool = Target::database(globals)?.pool().await?;
    postgres::migrate(&pool).await?;
    booking::catalogue::venues::seed(&pool).await?;
    let newest = postgres::MIGRATOR.iter().map(|migration| migration.version).max();
    output::say(globals.json, &json!({ "version": newest }), || {
        format!("the database is at migration {}", newest.unwrap_or_default())
    })
}
