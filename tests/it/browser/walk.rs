//! A way past every page and state that can be reached, in one browser.

use super::console;
use super::driver::Driver;
use super::look::Look;
use super::sale::Sale;
use super::screen::PHONE;
use super::tab::Tab;
use super::way;
use crate::support::next_year;

pub(super) struct Walk {
    pub(super) sale: Sale,
    tab: Tab,
    /// On sale, with seats.
    pub(super) evening: String,
    /// Not open yet.
    gala: String,
    /// Two tickets, no seats.
    night: String,
    /// Announced by nobody.
    matinee: String,
    /// General admission, and over for whoever looks away.
    short: [String; 2],
}

const GLIMPSE: &str = "a-glimpse";
const MOMENT: &str = "a-moment";

impl Walk {
    pub(super) async fn start(driver: &Driver) -> Self {
        let sale = Sale::start().await;
        let evening = sale.event("An evening", &["--price", "balcony=3500", "--price", "parquet=12500"]).await;
        let gala = sale.event("A gala", &[]).await;
        let night = sale.event("A night", &["--capacity", "2", "--price", "general=5000"]).await;
        let matinee = sale.event("A matinee", &[]).await;
        let small = ["--capacity", "2", "--price", "general=5000"];
        let short = [sale.event("A glimpse", &small).await, sale.event("A moment", &small).await];
        sale.open("an-evening", &evening, &[]).await;
        let opens_at = format!("{}T10:00:00Z", next_year("01-02"));
        let opens = ["--rate-per-minute", "600", "--opens-at", &opens_at];
        sale.announce("a-gala", &gala, &opens).await;
        sale.operator().await;
        let tab = driver.open(&sale.url, PHONE).await;
        tab.forget_files().await;
        tab.paint(false).await;
        Self { sale, tab, evening, gala, night, matinee, short }
    }

    /// All but "drawing", which a lobby of so few leaves before a browser has drawn it; waitroom's own tests have it.
    pub(super) async fn past_every_page(&self, look: &mut Look) {
        self.let_time_run_out().await;
        self.past_what_there_is(look).await;
        self.past_the_line(look).await;
        self.past_the_ends(look).await;
        self.past_the_console(look).await;
        self.past_a_loss(look).await;
    }

    /// Takes two turns whose time is over when the walk comes back to them.
    async fn let_time_run_out(&self) {
        let [glimpse, moment] = &self.short;
        self.sale.open(GLIMPSE, glimpse, &["--claim-window-s", "1", "--grace-s", "0"]).await;
        way::join(&self.tab, GLIMPSE).await;
        self.sale.open(MOMENT, moment, &["--session-s", "10"]).await;
        way::join(&self.tab, MOMENT).await;
        self.tab.see(way::CALLED).await;
        way::enter(&self.tab, moment, true).await;
    }

    /// Finding an event.
    async fn past_what_there_is(&self, look: &mut Look) {
        let tab = &self.tab;
        tab.goto_until("/", &format!("a[href='/e/{}']", self.gala)).await;
        look.at(tab, "home", &[]).await;
        tab.goto_until("/search?q=evening", &format!("a[href='/e/{}']", self.evening)).await;
        look.at(tab, "search", &[]).await;
        tab.goto("/search?q=zzzzzz").await;
        look.at(tab, "search: nothing found", &[]).await;
        tab.goto_until(&format!("/e/{}", self.evening), "form[action='/queue/an-evening']").await;
        look.at(tab, "event: on sale", &[]).await;
        tab.goto_until(&format!("/e/{}", self.gala), "form[action='/queue/a-gala']").await;
        look.at(tab, "event: not open yet", &[]).await;
        tab.goto(&format!("/e/{}", self.matinee)).await;
        look.at(tab, "event: not on sale", &[]).await;
        tab.goto(&format!("/e/{}/seats", self.evening)).await;
        look.at(tab, "seats: not admitted", &[]).await;
        tab.goto("/drops/an-evening").await;
        look.at(tab, "drop", &[]).await;
        tab.goto("/nothing").await;
        look.at(tab, "problem", &["404"]).await;
        tab.goto("/account").await;
        look.at(tab, "account: sign in or up", &[]).await;
        tab.fill("#in-email", "nobody@fans.example").await;
        tab.fill("#in-password", "wrong").await;
        tab.press("form[action='/account/sign-in'] button").await;
        tab.see("#in-error").await;
        look.at(tab, "account: wrong password", &["401"]).await;
    }

    /// Waiting, and buying.
    async fn past_the_line(&self, look: &mut Look) {
        let (tab, drop) = (&self.tab, "an-evening");
        tab.goto("/queue/a-gala").await;
        look.at(tab, "waiting: lobby, outside", &[]).await;
        way::join(tab, "a-gala").await;
        tab.see("[data-face=lobby]").await;
        look.at(tab, "waiting: lobby", &[]).await;

        let _front = self.sale.block(drop).await;
        tab.goto("/queue/an-evening").await;
        look.at(tab, "waiting: outside", &[]).await;
        way::join(tab, drop).await;
        tab.see(way::WAITING).await;
        look.at(tab, "waiting: in line", &[]).await;
        for lang in ["es", "fr", "de", "ja", "ar", "en"] {
            tab.goto(&format!("/queue/{drop}?lang={lang}")).await;
            look.at(tab, &format!("waiting: in line, {lang}"), &[]).await;
        }
        self.sale.steer(&["pause", drop, "--reason", "The lights are mended"]).await;
        tab.read("The lights are mended").await;
        look.at(tab, "waiting: paused", &[]).await;
        self.sale.steer(&["resume", drop]).await;
        self.sale.hurry(drop).await;
        tab.see(way::CALLED).await;
        look.at(tab, "waiting: called", &[]).await;

        way::enter(tab, &self.evening, true).await;
        tab.goto("/queue/an-evening").await;
        tab.see("[data-face=admitted]:not([hidden])").await;
        look.at(tab, "waiting: admitted", &[]).await;
        tab.press("[data-face=admitted] button").await;
        tab.arrive(&format!("/e/{}/seats", self.evening)).await;
        tab.see("#map").await; // now the list is live, too
        look.at(tab, "seats", &[]).await;
        tab.press("#rows label:has(input:not(:disabled))").await;
        look.at(tab, "seats: one chosen", &[]).await;
        way::take_the_best(tab).await;
        tab.arrive("/account").await;
        look.at(tab, "account: in the flow", &[]).await;
        way::sign_up(tab, "ada").await;
        tab.arrive("/checkout/").await;
        look.at(tab, "checkout", &[]).await;
        tab.run(way::HURRY).await;
        tab.see("#more-time").await;
        look.at(tab, "checkout: time runs out", &[]).await;
        way::pay(tab, "declined").await;
        tab.see("[role=alert]").await;
        look.at(tab, "checkout: declined", &["402"]).await;
        way::pay(tab, "bank").await;
        tab.arrive("/sandbox/3ds/").await;
        look.at(tab, "bank", &[]).await;
        way::approve(tab).await;
        look.at(tab, "you have it", &[]).await;
        tab.goto("/account").await;
        look.at(tab, "account: bookings", &[]).await;
        tab.goto("/queue/an-evening").await;
        tab.read("You have your tickets").await;
        look.at(tab, "waiting: finished", &[]).await;
    }

    /// Where it goes no further.
    async fn past_the_ends(&self, look: &mut Look) {
        let tab = &self.tab;
        let short = ["--claim-window-s", "1", "--grace-s", "600"];
        self.sale.open("a-matinee", &self.matinee, &short).await;
        let _inside = self.sale.fill("a-matinee").await;
        way::join(tab, "a-matinee").await;
        tab.see("[data-face=lapsed]:not([hidden])").await;
        look.at(tab, "waiting: lapsed", &[]).await;
        tab.press("[data-face=lapsed] button").await;
        tab.see("[data-face=claiming]:not([hidden])").await;
        look.at(tab, "waiting: at the door", &[]).await;
        tab.press("#leave summary").await;
        tab.press("button[name=do][value=leave]").await;
        tab.see("[data-face=left]:not([hidden])").await;
        look.at(tab, "waiting: left", &[]).await;
        self.sale.steer(&["end", "a-matinee"]).await;
        tab.press("[data-face=left] button[name=do][value=again]").await;
        tab.read("This on-sale has ended").await;
        look.at(tab, "waiting: refused after the end", &["409"]).await;

        self.sale.open("a-night", &self.night, &[]).await;
        let inside = self.sale.fill("a-night").await;
        way::join(tab, "a-night").await;
        tab.see(way::CALLED).await;
        inside.buy(&self.night, 2).await;
        tab.see("[data-face=sold_out]:not([hidden])").await;
        look.at(tab, "waiting: sold out", &[]).await;
        tab.goto_until(&format!("/e/{}", self.night), ".badge.neutral").await;
        look.at(tab, "event: sold out", &[]).await;

        tab.goto_until(&format!("/queue/{GLIMPSE}"), "[data-face=lapsed-out]:not([hidden])").await;
        look.at(tab, "waiting: turn has passed", &[]).await;
        tab.goto_until(&format!("/queue/{MOMENT}"), "[data-face=session-over]:not([hidden])").await;
        look.at(tab, "waiting: time is over", &[]).await;
    }

    /// The operators' side.
    async fn past_the_console(&self, look: &mut Look) {
        let tab = &self.tab;
        tab.goto("/ops").await;
        look.at(tab, "console: sign in", &["401"]).await;
        console::sign_in(tab).await;
        look.at(tab, "console: drops", &["401"]).await;
        tab.goto("/ops/drops/an-evening").await;
        tab.read("Live").await;
        look.at(tab, "console: a drop", &[]).await;
        tab.goto("/ops/drops/a-gala").await;
        tab.read("Live").await;
        look.at(tab, "console: a drop before it opens", &[]).await;
        tab.goto("/ops/audit").await;
        look.at(tab, "console: record", &[]).await;
    }

    /// Redis came back empty; the tab is still in the gala's lobby.
    async fn past_a_loss(&self, look: &mut Look) {
        self.sale.stack.lose_line("a-gala").await;
        self.tab.goto_until("/queue/a-gala", "[data-face=restoring]:not([hidden])").await;
        look.at(&self.tab, "waiting: restoring", &[]).await;
    }
}
