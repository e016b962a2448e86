//! A stack with something on sale, and a line that stands still until it is told to move.

use crate::support::fan::Fan;
use crate::support::next_year;
use crate::support::process::until;
use crate::support::stack::Stack;

pub(super) const OPERATOR: &str = "ops@example.org";
pub(super) const PASSWORD: &str = "correct horse battery staple";

pub(super) struct Sale {
    pub(super) stack: Stack,
    pub(super) url: String,
}

/// Who is inside, and all the house takes.
pub(super) struct Inside {
    fan: Fan,
    admission: String,
}

/// Who keeps the line from moving.
pub(super) struct Front {
    inside: Inside,
    waiting: Fan,
    _claiming: Fan,
}

impl Sale {
    pub(super) async fn start() -> Self {
        let stack = Stack::start().await;
        let url = stack.url.clone();
        Self { stack, url }
    }

    /// An event at Carnegie Hall, or wherever the last arguments say; gives its id.
    pub(super) async fn event(&self, name: &str, more: &[&str]) -> String {
        let date = next_year("03-12");
        let create = ["event", "create", "--json", "--name", name, "--date", &date, "--time", "19:30"];
        let venue = ["--venue", "carnegie-hall"];
        let created = self.stack.tool(&[&create[..], &venue, more].concat()).await.ok().json();
        created["event_id"].as_str().expect("an id").to_owned()
    }

    /// A drop of one event, not open yet.
    pub(super) async fn announce(&self, drop: &str, event: &str, more: &[&str]) {
        self.stack.tool(&[&["drop", "create", drop, "--event", event], more].concat()).await.ok();
    }

    /// A drop of one event, open to as many as come.
    pub(super) async fn open(&self, drop: &str, event: &str, more: &[&str]) {
        self.announce(drop, event, &[&["--rate-per-minute", "6000"], more].concat()).await;
        self.steer(&["open", drop]).await;
    }

    /// `onsale drop …`
    pub(super) async fn steer(&self, arguments: &[&str]) {
        self.stack.tool(&[&["drop"], arguments].concat()).await.ok();
    }

    /// Whoever comes next stands second, and stays there: one fan is inside, which is all the house takes now; one
    /// has claimed and waits at the door, which is all the rate wants to see there; one more waits between.
    pub(super) async fn block(&self, drop: &str) -> Front {
        let inside = self.fill(drop).await;
        let [claiming, waiting] = [(); 2].map(|()| Fan::new(&self.url));
        claiming.join(drop).await;
        until("the second fan waits at the door", async || claiming.claim(drop).await.0.as_u16() == 202).await;
        waiting.join(drop).await;
        Front { inside, waiting, _claiming: claiming }
    }

    /// Whoever comes next is called, and waits at the door: one fan is inside, which is all the house takes now.
    pub(super) async fn fill(&self, drop: &str) -> Inside {
        let fan = Fan::new(&self.url);
        fan.join(drop).await;
        let admission = admission(&fan, drop).await;
        self.steer(&["set", drop, "--rate-per-minute", "1", "--max-active", "1"]).await;
        Inside { fan, admission }
    }

    /// Lets in as many as come.
    pub(super) async fn hurry(&self, drop: &str) {
        self.steer(&["set", drop, "--rate-per-minute", "6000", "--max-active", "1000"]).await;
    }

    pub(super) async fn operator(&self) {
        self.stack.tool_with(&["operator", "add", OPERATOR, "--password-stdin"], PASSWORD).await.ok();
    }
}

impl Drop for Sale {
    /// Whoever reads of a failure wants to know what the server thought.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.stack.server.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the server's last words:\n{}", lines[lines.len().saturating_sub(30)..].join("\n"));
        }
    }
}

impl Front {
    /// Whoever waits gives up, and everybody behind moves up by one.
    pub(super) async fn thin_out(&self, drop: &str) {
        assert_eq!(self.waiting.leave(drop).await.as_u16(), 204);
    }

    /// Whoever is inside buys this many.
    pub(super) async fn buy(&self, event: &str, quantity: u32) {
        self.inside.buy(event, quantity).await;
    }
}

impl Inside {
    pub(super) async fn buy(&self, event: &str, quantity: u32) {
        self.fan.buy(&self.admission, event, quantity).await;
    }
}

/// Waits for the turn and takes it.
async fn admission(fan: &Fan, drop: &str) -> String {
    let mut token = None;
    until("a fan is let in", async || {
        token = fan.claim(drop).await.1["admission"]["token"].as_str().map(str::to_owned);
        token.is_some()
    })
    .await;
    token.expect("it was waited for")
}
