//! The yardstick: pgbench's own client, and a purchase of five round trips.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use shared::private_stack::PrivatePostgres;
use sqlx::PgPool;

const CLIENTS: &str = "32";
const TICKETS: i64 = 100_000;

const PURCHASE: &str = "\\set ticket random(1, 100000)
\\set buyer random(1, 1000000)
BEGIN;
UPDATE raw_tickets SET status = 'purchased', buyer = :buyer WHERE ticket_id = :ticket;
INSERT INTO raw_bookings (ticket_id, buyer) VALUES (:ticket, :buyer);
INSERT INTO raw_payments (ticket_id, amount) VALUES (:ticket, 1000);
COMMIT;
";

pub(crate) async fn prepare(pool: &PgPool) -> sqlx::Result<()> {
    for sql in [
        "CREATE TABLE raw_tickets (ticket_id bigint PRIMARY KEY, status text NOT NULL DEFAULT 'available', buyer bigint)",
        "CREATE TABLE raw_bookings (booking_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                                    ticket_id bigint NOT NULL, buyer bigint NOT NULL,
                                    booked_at timestamptz NOT NULL DEFAULT now())",
        "CREATE TABLE raw_payments (payment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                                    ticket_id bigint NOT NULL, amount bigint NOT NULL,
                                    paid_at timestamptz NOT NULL DEFAULT now())",
    ] {
        sqlx::query(sql).execute(pool).await?;
    }
    sqlx::query("INSERT INTO raw_tickets (ticket_id) SELECT generate_series(1, $1)")
        .bind(TICKETS)
        .execute(pool)
        .await?;
    sqlx::query("VACUUM ANALYZE raw_tickets").execute(pool).await?;
    Ok(())
}

/// How pgbench sends its statements: as text each time, which is what it does unless told otherwise, or prepared, as our
/// driver does.
#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    Simple,
    Prepared,
}

/// Purchases a second.
pub(crate) async fn rate(
    postgres: &PrivatePostgres,
    folder: &Path,
    time: Duration,
    protocol: Protocol,
) -> anyhow::Result<f64> {
    let script = folder.join("purchase.sql");
    std::fs::write(&script, PURCHASE)?;
    let output = tokio::process::Command::new(program().context("pgbench is not installed")?)
        .args(["--no-vacuum", "--jobs=2", "--client", CLIENTS, "--protocol"])
        .arg(match protocol {
            Protocol::Simple => "simple",
            Protocol::Prepared => "prepared",
        })
        .arg(format!("--time={}", time.as_secs()))
        .arg(format!("--file={}", script.display()))
        .arg(postgres.url())
        .output()
        .await
        .context("running pgbench")?;
    let told = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
    let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    rate.with_context(|| format!("pgbench tells no rate: {told}"))
}

/// `$PGBIN`, `PATH`, then where Debian keeps it, newest version first.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .collect();
    debian.sort_by_key(|folder| folder.parent()?.file_name()?.to_str()?.parse::<u32>().ok());
    let given = std::env::var_os("PGBIN").map(PathBuf::from);
    let folders = given.into_iter().chain(std::env::split_paths(&path)).chain(debian.into_iter().rev());
    folders.map(|folder| folder.join("pgbench")).find(|program| program.is_file())
}
