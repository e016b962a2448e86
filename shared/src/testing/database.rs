//! Databases for tests: migrated once as a template, then copied.

use std::str::FromStr as _;

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

use crate::{
    encoding::{hex, sha256},
    postgres::MIGRATOR,
};

/// Test programs that start together make the template in turn.
const TEMPLATE_LOCK: i64 = 0x6f6e_7361_6c65; // "onsale"

/// Makes a database `name` with the schema in it; gives its URL.
pub(super) async fn make(server_url: &str, name: &str) -> anyhow::Result<String> {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    let template = TEMPLATE.get_or_try_init(|| template(server_url)).await.context("making the template database")?;
    let mut connection = connect(server_url).await?;
    execute(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template}")).await?;
    connection.close().await?;
    Ok(url_of(server_url, name))
}

/// Drops a database, whoever is connected to it.
pub(super) async fn drop(url: &str) -> anyhow::Result<()> {
    let name = PgConnectOptions::from_str(url)?.get_database().context("a test's URL names its database")?.to_owned();
    let mut connection = connect(&url_of(url, "postgres")).await?;
    execute(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
}

/// The template's name says which migrations are in it, so that no old one is copied.
async fn template(server_url: &str) -> anyhow::Result<String> {
    let checksums: Vec<&[u8]> = MIGRATOR.iter().map(|migration| &*migration.checksum).collect();
    let name = format!("onsale_template_{}", &hex(&sha256(&checksums))[..16]);
    let mut connection = connect(server_url).await?;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(TEMPLATE_LOCK).execute(&mut connection).await?;
    // marked as a template only when complete
    let complete: Option<bool> = sqlx::query_scalar("SELECT datistemplate FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_optional(&mut connection)
        .await?;
    if complete != Some(true) {
        execute(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await?;
        execute(&mut connection, format!("CREATE DATABASE {name}")).await?;
        let mut inside = connect(&url_of(server_url, &name)).await?;
        MIGRATOR.run(&mut inside).await?;
        inside.close().await?; // nobody may be connected to what is copied
        execute(&mut connection, format!("ALTER DATABASE {name} IS_TEMPLATE true")).await?;
    }
    connection.close().await?; // which lets the lock go
    Ok(name)
}

async fn connect(url: &str) -> anyhow::Result<PgConnection> {
    Ok(PgConnectOptions::from_str(url)?.connect().await?)
}

/// Names cannot be bound; ours are made of letters, digits and underscores.
async fn execute(connection: &mut PgConnection, sql: String) -> anyhow::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// `url` with another database in its path.
fn url_of(url: &str, database: &str) -> String {
    let (base, query) = url.split_once('?').map_or((url, None), |(base, query)| (base, Some(query)));
    let authority_end = base.find("://").and_then(|at| base[at + 3..].find('/').map(|slash| at + 3 + slash));
    let base = &base[..authority_end.unwrap_or(base.len())];
    match query {
        Some(query) => format!("{base}/{database}?{query}"),
        None => format!("{base}/{database}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_is_exchanged_in_every_kind_of_url() {
        assert_eq!(url_of("postgres:///onsale?host=/s&user=o", "x"), "postgres:///x?host=/s&user=o");
        assert_eq!(url_of("postgres://u:p@h:5432/db", "x"), "postgres://u:p@h:5432/x");
        assert_eq!(url_of("postgres://h", "x"), "postgres://h/x");
    }
}
