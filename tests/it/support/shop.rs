//! A shop as processes, on the test's own stores: booking, the line's keeper and the payment provider's sandbox. Fans
//! come with admissions that the test signs itself, so nobody queues.
//!
//! Every shop has a loopback address of its own: a process that is killed comes back where it was, and nobody took its
//! port meanwhile.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use admission::ids::{DropId, Place, VisitorSecret};
use admission::token::{Grant, Signer};
use loadtest::audit::Audit;
use secrecy::SecretString;
use shared::clock::Clock;
use shared::keyring::Keyring;
use shared::testing::{World, world};
use shared::{encoding, postgres};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio::process::Command;
use uuid::Uuid;

use super::process::{Server, onsale, run};
use super::roles::{INDEX_KEY, MASTER_KEY};

pub(crate) const PROVIDER_KEY: &str = "sk_test_of_the_shop";
pub(crate) const PUBLISHABLE_KEY: &str = "pk_test_of_the_shop";
pub(crate) const DROP: &str = "an-evening";

/// How long the admissions of the test last.
const SESSION: Duration = Duration::from_secs(7_200);

/// Those for everybody: nobody here comes in a wheelchair.
const SEATS: &str = "SELECT seat_number FROM tickets WHERE event_id = $1 AND status = 'available' AND pool = 'open'
                     ORDER BY ordinal";

/// What stands on every shop's poster: more than tickets, so that the judge has something to add up.
const FEES: [(&str, &str, i64); 2] = [("Service", "ticket", 275), ("Order", "order", 150)];

/// Where a shop keeps what it knows.
pub(crate) struct Stores {
    pub(crate) database_url: String,
    pub(crate) redis_url: String,
    pub(crate) prefix: String,
    /// Gone with the shop.
    _world: World,
}

pub(crate) struct Shop {
    /// Of the booking processes.
    pub(crate) urls: Vec<String>,
    pub(crate) provider_url: String,
    pub(crate) pool: PgPool,
    pub(crate) event_id: Uuid,
    /// In their order.
    pub(crate) seats: Vec<String>,
    stores: Stores,
    address: String,
    signer: Signer,
    bookings: Vec<Server>,
    sandbox: Server,
    admission: Server,
    settings: Vec<String>,
    dir: TempDir,
}

/// One of a shop's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Booking(usize),
    Sandbox,
    Admission,
}

impl Stores {
    /// On the servers of the test run.
    pub(crate) async fn own() -> Self {
        let world = world().await;
        Self {
            database_url: world.database_url.clone(),
            redis_url: world.redis_url.clone(),
            prefix: world.redis.prefix().to_owned(),
            _world: world,
        }
    }
}

impl Shop {
    /// Opens with `bookings` booking processes, each with these settings (`booking.hold_s=3`), and so many seats of
    /// this venue on sale.
    pub(crate) async fn open(
        stores: Stores,
        venue: &str,
        seats_max: usize,
        bookings: usize,
        settings: &[&str],
    ) -> Self {
        let dir = super::folder();
        let [high, low] = encoding::random::<2>();
        let address = format!("127.77.{high}.{}", low.max(1));
        let urls: Vec<String> = (0..bookings).map(|number| format!("http://{address}:{}", 8_000 + number)).collect();
        let provider_url = format!("http://{address}:9000");
        std::fs::write(dir.path().join("onsale.toml"), toml(&urls[0], &provider_url, dir.path(), &stores))
            .expect("written");
        run(tool(dir.path()).arg("migrate"), "").await.ok();
        let pool = pool(&stores.database_url).await;
        let (event_id, seats) = put_on_sale(dir.path(), &pool, venue, seats_max).await;

        let keys = [SecretString::from(MASTER_KEY)];
        let keyring = Keyring::parse(&keys, &SecretString::from(INDEX_KEY)).expect("good keys");
        let sandbox = start("sandbox", "sandbox", &address, 9_000, dir.path());
        let admission = start("admission", "admission", &address, 9_100, dir.path());
        let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let start = |number| start_booking(number, &address, dir.path(), &settings, None);
        let servers: Vec<Server> = (0..bookings).map(start).collect();
        let mut shop = Self {
            signer: Signer::new(&keyring, &urls[0]).expect("a signer"),
            urls,
            provider_url,
            pool,
            event_id,
            seats,
            stores,
            bookings: servers,
            sandbox,
            admission,
            address,
            settings,
            dir,
        };
        for part in shop.parts() {
            shop.server(part).ready().await;
        }
        shop
    }

    pub(crate) fn parts(&self) -> Vec<Part> {
        let bookings = (0..self.bookings.len()).map(Part::Booking);
        bookings.chain([Part::Sandbox, Part::Admission]).collect()
    }

    fn server(&mut self, part: Part) -> &mut Server {
        match part {
            Part::Booking(number) => &mut self.bookings[number],
            Part::Sandbox => &mut self.sandbox,
            Part::Admission => &mut self.admission,
        }
    }

    /// Kills a process without warning.
    pub(crate) async fn kill(&mut self, part: Part) {
        let server = self.server(part);
        server.signal("KILL").await;
        server.ended().await;
    }

    /// Starts a process that has ended, where it was before.
    pub(crate) async fn start(&mut self, part: Part) {
        match part {
            Part::Booking(number) => self.start_booking(number, &[], None).await,
            Part::Sandbox => {
                self.sandbox = start("sandbox", "sandbox", &self.address, 9_000, self.dir.path());
                self.sandbox.ready().await;
            }
            Part::Admission => {
                self.admission = start("admission", "admission", &self.address, 9_100, self.dir.path());
                self.admission.ready().await;
            }
        }
    }

    /// Starts a booking process that has ended, with more settings and where it is to die (`FAILPOINTS`).
    pub(crate) async fn start_booking(&mut self, number: usize, settings: &[&str], failpoint: Option<&str>) {
        let more = settings.iter().map(|setting| (*setting).to_owned());
        let settings: Vec<String> = self.settings.iter().cloned().chain(more).collect();
        self.bookings[number] = start_booking(number, &self.address, self.dir.path(), &settings, failpoint);
        self.bookings[number].ready().await;
    }

    /// Runs a tool on the same stores; it is to die at this point.
    #[cfg(feature = "failpoints")]
    pub(crate) async fn tool(&self, arguments: &[&str], dies_at: Option<&str>) -> super::process::Said {
        let mut command = tool(self.dir.path());
        if let Some(point) = dies_at {
            command.env("FAILPOINTS", format!("{point}=return"));
        }
        run(command.args(arguments), "").await
    }

    /// How a process ended, if it has.
    pub(crate) fn status(&mut self, part: Part) -> Option<ExitStatus> {
        self.server(part).status()
    }

    #[cfg(feature = "failpoints")]
    pub(crate) fn booking(&mut self, number: usize) -> &mut Server {
        &mut self.bookings[number]
    }

    /// An admission into the drop for this visitor.
    pub(crate) fn admit(&self, visitor: &VisitorSecret, place: Place) -> String {
        let drop = DropId::parse(DROP).expect("a slug");
        let now = Clock::system().now();
        let grant = Grant {
            drop: &drop,
            place,
            jti: place.jti(&drop),
            admitted_at: now,
            expires_at: now + SESSION,
            visitor_hash: visitor.hash(),
        };
        self.signer.sign(&grant).expect("signed")
    }

    /// For the judge.
    pub(crate) fn audit(&self) -> Audit {
        Audit {
            database_url: self.stores.database_url.clone(),
            provider_url: self.provider_url.clone(),
            provider_key: PROVIDER_KEY.to_owned(),
            provider_ledger: self.dir.path().join("ledger.jsonl"),
            drop: DROP.to_owned(),
        }
    }

    /// Puts a fault script in the provider's way; `None` ends it.
    pub(crate) async fn provider_faults(&self, script: Option<&serde_json::Value>) -> serde_json::Value {
        let (client, url) = (reqwest::Client::new(), format!("{}/sandbox/faults", self.provider_url));
        let request = match script {
            Some(script) => client.post(url).json(script),
            None => client.delete(url),
        };
        let answer = request.bearer_auth(PROVIDER_KEY).send().await.expect("the sandbox answers");
        let (status, text) = (answer.status(), answer.text().await.expect("a body"));
        assert!(status.is_success(), "{status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What booking says about its answers of status 500, a few.
    pub(crate) fn failures(&self) -> Vec<String> {
        let logs: Vec<String> = self.bookings.iter().map(Server::log).collect();
        let failed = logs.iter().flat_map(|log| log.lines()).filter(|line| line.contains("status=500"));
        failed.take(3).map(str::to_owned).collect()
    }

    /// What the processes wrote, for a test that fails.
    pub(crate) fn logs(&self) -> String {
        let servers = self.bookings.iter().chain([&self.sandbox, &self.admission]);
        servers.map(|server| tail(&server.log())).collect::<Vec<_>>().join("\n---\n")
    }
}

async fn pool(url: &str) -> PgPool {
    let settings =
        postgres::Settings { url: SecretString::from(url.to_owned()), max_connections: 4, acquire_timeout_ms: 20_000 };
    postgres::connect(&settings).await.expect("Postgres answers")
}

/// The event with its fees and seats, in a drop that is open.
async fn put_on_sale(dir: &Path, pool: &PgPool, venue: &str, seats_max: usize) -> (Uuid, Vec<String>) {
    let date = super::next_year("03-12");
    let create = ["event", "create", "--json", "--name", "An evening", "--venue", venue, "--date", &date];
    let created = run(tool(dir).args(create), "").await.ok().json();
    let event = created["event_id"].as_str().expect("an id").to_owned();
    let event_id: Uuid = event.parse().expect("an id");
    for (position, (label, per, amount)) in (0..).zip(FEES) {
        sqlx::query("INSERT INTO event_fees (event_id, position, label, per, amount) VALUES ($1, $2, $3, $4, $5)")
            .bind(event_id)
            .bind::<i32>(position)
            .bind(label)
            .bind(per)
            .bind(amount)
            .execute(pool)
            .await
            .expect("a fee");
    }
    // the venue keeps the rest for itself
    sqlx::query("UPDATE tickets SET status = 'cancelled' WHERE event_id = $1 AND ordinal >= $2")
        .bind(event_id)
        .bind(i32::try_from(seats_max).expect("a hall"))
        .execute(pool)
        .await
        .expect("withdrawn");
    let drop = ["drop", "create", DROP, "--event", &event, "--rate-per-minute", "600", "--session-s", "7200"];
    run(tool(dir).args(drop), "").await.ok();
    run(tool(dir).args(["drop", "open", DROP]), "").await.ok();
    let seats = sqlx::query_scalar(SEATS).bind(event_id).fetch_all(pool).await.expect("seats");
    (event_id, seats)
}

fn start_booking(number: usize, address: &str, dir: &Path, settings: &[String], failpoint: Option<&str>) -> Server {
    let (name, port) = (format!("booking-{number}"), u16::try_from(8_000 + number).expect("a few"));
    let mut command = role("booking", &name, address, port, dir);
    for setting in settings {
        command.arg("--set").arg(setting);
    }
    if let Some(failpoint) = failpoint {
        command.env("FAILPOINTS", failpoint);
    }
    Server::start(&mut command, &dir.join(format!("{name}.log")))
}

fn start(kind: &str, name: &str, address: &str, port: u16, dir: &Path) -> Server {
    Server::start(&mut role(kind, name, address, port, dir), &dir.join(format!("{name}.log")))
}

fn role(kind: &str, name: &str, address: &str, port: u16, dir: &Path) -> Command {
    let mut command = tool(dir);
    command.args([kind, "--listen", &format!("{address}:{port}"), "--private-listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(dir.join(name));
    command
}

fn tool(dir: &Path) -> Command {
    let mut command = onsale();
    command.env_remove("FAILPOINTS").arg("--config").arg(dir.join("onsale.toml"));
    command
}

/// The last lines of a log.
fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn toml(url: &str, provider_url: &str, dir: &Path, stores: &Stores) -> String {
    format!(
        r#"
[server]
public_url = "{url}"
[redis]
url = "{redis}"
prefix = "{prefix}"
[postgres]
url = "{postgres}"
max_connections = 12
acquire_timeout_ms = 5000
[keys]
master_keys = ["{MASTER_KEY}"]
index_key = "{INDEX_KEY}"
[booking]
expiry_poll_ms = 200
outbox_poll_ms = 100
payment_poll_ms = 500
reconcile_poll_ms = 1000
[booking.stripe]
api_base = "{provider_url}"
secret_key = "{PROVIDER_KEY}"
publishable_key = "{PUBLISHABLE_KEY}"
webhook_secret = "whsec_of_the_shop"
[booking.limits]
registration = {{ per_minute = 100000, burst = 100000 }}
checkout = {{ per_minute = 100000, burst = 100000 }}
confirm = {{ per_minute = 100000, burst = 100000 }}
[sandbox]
ledger = "{dir}/ledger.jsonl"
secret_key = "{PROVIDER_KEY}"
publishable_key = "{PUBLISHABLE_KEY}"
webhook_secret = "whsec_of_the_shop"
webhook_url = "{url}/payments/stripe/webhook"
"#,
        redis = stores.redis_url,
        prefix = stores.prefix,
        postgres = stores.database_url,
        dir = dir.display(),
    )
}
