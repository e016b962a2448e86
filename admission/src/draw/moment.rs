//! A time on Redis's clock, in microseconds, written as RFC 3339 with all six digits: exact, and read alike by
//! whoever checks a draw.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match i64::try_from(self.0).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()) {
            Some(time) => write!(f, "{time:.6}"),
            None => Err(std::fmt::Error), // beyond the year 9999
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let micros = Timestamp::deserialize(from)?.as_microsecond();
        u64::try_from(micros).map(Self).map_err(|_| D::Error::custom("a time before 1970"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_digits_always_and_back() {
        for (micros, text) in [
            (1_790_000_000_000_000, "2026-09-21T14:13:20.000000Z"),
            (1_790_000_000_120_000, "2026-09-21T14:13:20.120000Z"),
            (1_790_000_000_000_001, "2026-09-21T14:13:20.000001Z"),
        ] {
            assert_eq!(Moment(micros).to_string(), text);
            assert_eq!(serde_json::from_value::<Moment>(text.into()).unwrap(), Moment(micros));
        }
    }
}
