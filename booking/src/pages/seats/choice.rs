//! What a fan has chosen so far, out of an address or a form.

use form_urlencoded::byte_serialize;
use uuid::Uuid;

/// Seats looked at, more than any booking may have.
const SEATS_MAX: usize = 64;

#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Choice {
    /// Labels, in the order they were chosen.
    pub(super) seats: Vec<String>,
    /// The part of the hall whose seats are listed.
    pub(super) zone: Option<String>,
    /// Set when we are to find the seats.
    pub(super) best: bool,
    pub(super) quantity: Option<i64>,
    pub(super) tier: Option<String>,
    /// The most one ticket may cost before fees, in minor units.
    pub(super) max_price: Option<i64>,
    /// For somebody in a wheelchair.
    pub(super) accessible: bool,
    /// Made with the page, so that pressing twice is asking once.
    pub(super) key: Option<String>,
    /// Comes back from signing in.
    pub(super) signed_in: bool,
}

/// How the form's list of prices says "no dearer than" and "of this tier".
const UP_TO: &str = "up-to:";
const TIER: &str = "tier:";

impl Choice {
    /// Fields of a query or a form. What is not known or makes no sense is as good as not there; `knows` says
    /// which labels there are.
    pub(super) fn read(fields: impl IntoIterator<Item = (String, String)>, knows: impl Fn(&str) -> bool) -> Self {
        let mut choice = Self::default();
        for (name, value) in fields {
            if value.is_empty() {
                continue;
            }
            match name.as_str() {
                "seats" if knows(&value) => choice.add(value),
                "seats" => value.split(',').filter(|label| knows(label)).for_each(|label| choice.add(label.to_owned())),
                "zone" => choice.zone = Some(value),
                "best" => choice.best = true,
                "signed-in" => choice.signed_in = true,
                "quantity" => choice.quantity = value.parse().ok(),
                "tier" => choice.tier = Some(value),
                "max-price" => choice.max_price = value.parse().ok(),
                "price" => choice.read_price(&value),
                "accessible" => choice.accessible = true,
                "key" => choice.key = Some(value),
                _ => {}
            }
        }
        choice
    }

    fn read_price(&mut self, value: &str) {
        self.max_price = value.strip_prefix(UP_TO).and_then(|amount| amount.parse().ok());
        self.tier = value.strip_prefix(TIER).map(str::to_owned);
    }

    /// The form's value for a tier.
    pub(super) fn of_tier(tier: &str) -> String {
        format!("{TIER}{tier}")
    }

    /// The form's value for prices up to an amount.
    pub(super) fn up_to(amount: &i64) -> String {
        format!("{UP_TO}{amount}")
    }

    fn add(&mut self, label: String) {
        if self.seats.len() < SEATS_MAX && !self.seats.contains(&label) {
            self.seats.push(label);
        }
    }

    /// The page with this choice made, to come back to.
    pub(super) fn path(&self, event_id: Uuid) -> String {
        let mut query = Vec::new();
        let encode = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let (plain, odd): (Vec<&String>, Vec<&String>) = self.seats.iter().partition(|label| !label.contains(','));
        if !plain.is_empty() {
            query.push(format!("seats={}", plain.into_iter().map(|label| encode(label)).collect::<Vec<_>>().join(",")));
        }
        query.extend(odd.into_iter().map(|label| format!("seats={}", encode(label))));
        for (name, value) in [("zone", &self.zone), ("tier", &self.tier)] {
            query.extend(value.as_ref().map(|value| format!("{name}={}", encode(value))));
        }
        query.extend(self.max_price.map(|amount| format!("max-price={amount}")));
        query.extend(self.accessible.then(|| "accessible=1".to_owned()));
        query.extend(self.quantity.map(|quantity| format!("quantity={quantity}")));
        query.extend(self.signed_in.then(|| "signed-in=1".to_owned()));
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("/e/{event_id}/seats{query}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Choice {
        Choice::read(form_urlencoded::parse(query.as_bytes()).into_owned(), |label| {
            ["A-1", "A-2", "A 3", "B,1", "Ä&1"].contains(&label)
        })
    }

    #[test]
    fn seats_come_one_by_one_or_with_commas() {
        assert_eq!(read("seats=A-1,A-2,nothing&seats=A-1&zone=&quantity=x").seats, ["A-1", "A-2"]);
        assert_eq!(read("seats=B%2C1").seats, ["B,1"], "a label may hold one itself");
    }

    #[test]
    fn one_list_has_tiers_and_ceilings() {
        let price = |value: &str| {
            let choice = read(&format!("price={value}"));
            (choice.tier, choice.max_price)
        };
        assert_eq!(price(&Choice::of_tier("a:b")), (Some("a:b".to_owned()), None));
        assert_eq!(price(&Choice::up_to(&3_500)), (None, Some(3_500)));
        assert_eq!(price("up-to:cheap"), (None, None));
        assert_eq!(price(""), (None, None));
    }

    #[test]
    fn a_choice_survives_the_way_through_an_address() {
        let mut choice = read(
            "seats=A-2&seats=A+3&seats=%C3%84%261&zone=left&tier=x&max-price=3500&accessible=1&quantity=3&signed-in=1",
        );
        let path = choice.path(Uuid::nil());
        assert!(shared::pages::local_path(&path).is_some(), "{path}");
        assert_eq!(read(path.split_once('?').unwrap().1), choice);
        choice.seats = vec!["B,1".to_owned(), "A-1".to_owned()];
        let again = read(choice.path(Uuid::nil()).split_once('?').unwrap().1);
        assert_eq!(again.seats, ["A-1", "B,1"]);
        assert_eq!(Choice::default().path(Uuid::nil()), format!("/e/{}/seats", Uuid::nil()));
    }
}
