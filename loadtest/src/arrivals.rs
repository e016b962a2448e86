//! When the fans come.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use anyhow::{Context as _, bail, ensure};
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

/// A spike is over after this long: everybody comes within one second.
const SPIKE_S: f64 = 1.0;

/// A trace without a length of its own is squeezed into this many seconds.
const TRACE_S: u32 = 60;

/// The shape of the crowd's arrival.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Arrivals {
    /// Everybody within a second.
    Spike,
    /// The rate of arrivals grows evenly from nothing over this many seconds.
    Ramp { seconds: u32 },
    /// The shape of a recorded day (CSV `minute,requests`), squeezed into this many seconds.
    Trace { file: PathBuf, seconds: u32 },
}

impl fmt::Display for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spike => write!(f, "spike"),
            Self::Ramp { seconds } => write!(f, "ramp:{seconds}"),
            Self::Trace { file, seconds } => write!(f, "trace:{}:{seconds}", file.display()),
        }
    }
}

impl FromStr for Arrivals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let positive = |text: &str| text.parse::<u32>().ok().filter(|seconds| *seconds > 0);
        if text == "spike" {
            return Ok(Self::Spike);
        }
        if let Some(seconds) = text.strip_prefix("ramp:") {
            let seconds = positive(seconds).ok_or("ramp:SECONDS wants a whole number above 0")?;
            return Ok(Self::Ramp { seconds });
        }
        if let Some(rest) = text.strip_prefix("trace:") {
            let (file, seconds) = match rest.rsplit_once(':') {
                Some((file, last)) if positive(last).is_some() => (file, positive(last)),
                _ => (rest, None),
            };
            if file.is_empty() {
                return Err("trace:FILE wants a file".into());
            }
            return Ok(Self::Trace { file: file.into(), seconds: seconds.unwrap_or(TRACE_S) });
        }
        Err("expected spike, ramp:SECONDS or trace:FILE[:SECONDS]".into())
    }
}

impl Arrivals {
    /// One moment for each fan, measured from the start of the run, earliest first.
    ///
    /// # Errors
    /// A trace that cannot be read, or that has no requests in it.
    pub(crate) fn moments(&self, fans: u32, seed: u64) -> anyhow::Result<Vec<Duration>> {
        Ok(match self {
            Self::Spike => spike(fans, seed),
            Self::Ramp { seconds } => ramp(fans, *seconds),
            Self::Trace { file, seconds } => {
                let text = std::fs::read_to_string(file)
                    .with_context(|| format!("cannot read the trace {}", file.display()))?;
                let weights = weights(&text).with_context(|| format!("in the trace {}", file.display()))?;
                trace(fans, &weights, *seconds)
            }
        })
    }
}

fn spike(fans: u32, seed: u64) -> Vec<Duration> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut moments: Vec<Duration> =
        (0..fans).map(|_| Duration::from_secs_f64(rng.random_range(0.0..SPIKE_S))).collect();
    moments.sort();
    moments
}

/// The number of fans by time t is N·(t/T)², so the k-th comes at T·√(k/N).
fn ramp(fans: u32, seconds: u32) -> Vec<Duration> {
    (0..fans)
        .map(|fan| {
            let share = (f64::from(fan) + 0.5) / f64::from(fans);
            Duration::from_secs_f64(f64::from(seconds) * share.sqrt())
        })
        .collect()
}

/// The requests of each line of a trace, in order; a first line of words is a heading.
fn weights(csv: &str) -> anyhow::Result<Vec<u64>> {
    let mut weights = Vec::new();
    for (index, line) in csv.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let requests = line.rsplit(',').next().unwrap_or_default().trim();
        match requests.parse() {
            Ok(requests) => weights.push(requests),
            Err(_) if index == 0 => {}
            Err(_) => bail!("line {}: no number of requests in {line:?}", index + 1),
        }
    }
    ensure!(weights.iter().any(|weight| *weight > 0), "no requests in the trace");
    Ok(weights)
}

/// The k-th fan comes where the trace's running total passes the same share of its whole.
fn trace(fans: u32, weights: &[u64], seconds: u32) -> Vec<Duration> {
    let total: u64 = weights.iter().sum();
    let slot_s = f64::from(seconds) / weights.len() as f64;
    let mut slot = 0;
    let mut before = 0_u64;
    (0..fans)
        .map(|fan| {
            let target = (f64::from(fan) + 0.5) / f64::from(fans) * total as f64;
            while slot + 1 < weights.len() && (before + weights[slot]) as f64 <= target {
                before += weights[slot];
                slot += 1;
            }
            let within = if weights[slot] == 0 {
                0.0
            } else {
                ((target - before as f64) / weights[slot] as f64).clamp(0.0, 1.0)
            };
            Duration::from_secs_f64((slot as f64 + within) * slot_s)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shapes_are_parsed() {
        assert_eq!("spike".parse(), Ok(Arrivals::Spike));
        assert_eq!("ramp:30".parse(), Ok(Arrivals::Ramp { seconds: 30 }));
        let trace = |file: &str, seconds| Arrivals::Trace { file: file.into(), seconds };
        assert_eq!("trace:day.csv".parse(), Ok(trace("day.csv", 60)));
        assert_eq!("trace:day.csv:90".parse(), Ok(trace("day.csv", 90)));
        for text in ["spike", "ramp:30", "trace:day.csv:90"] {
            assert_eq!(text.parse::<Arrivals>().unwrap().to_string(), text);
        }
        assert_eq!("trace:C:day.csv".parse(), Ok(trace("C:day.csv", 60)));
        for wrong in ["", "ramp", "ramp:0", "ramp:x", "trace:", "flood"] {
            assert!(wrong.parse::<Arrivals>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_ramp_has_three_quarters_of_the_crowd_in_its_second_half() {
        let moments = ramp(1000, 10);
        let late = moments.iter().filter(|moment| moment.as_secs_f64() > 5.0).count();
        assert_eq!(late, 750);
    }

    #[test]
    fn a_trace_keeps_its_shape() {
        let weights = weights("minute,requests\n00:00,10\n00:01,0\n00:02,30\n").unwrap();
        assert_eq!(weights, [10, 0, 30]);
        let moments = trace(400, &weights, 30);
        let within = |from: f64, to: f64| {
            moments.iter().map(Duration::as_secs_f64).filter(|moment| (from..to).contains(moment)).count()
        };
        assert_eq!((within(0.0, 10.0), within(10.0, 20.0), within(20.0, 30.1)), (100, 0, 300));
    }

    #[test]
    fn a_trace_without_numbers_is_refused() {
        assert!(weights("minute,requests\n").is_err());
        assert!(weights("a,1\nb,x\n").is_err());
    }

    proptest! {
        #[test]
        fn every_fan_comes_once_in_time_and_in_order(
            fans in 1_u32..500,
            seconds in 1_u32..100,
            weights in prop::collection::vec(0_u64..50, 1..40),
            seed: u64,
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let shapes = [
                (spike(fans, seed), SPIKE_S),
                (ramp(fans, seconds), f64::from(seconds)),
                (trace(fans, &weights, seconds), f64::from(seconds)),
            ];
            for (moments, end) in shapes {
                prop_assert_eq!(moments.len(), fans as usize);
                prop_assert!(moments.is_sorted());
                prop_assert!(moments.iter().all(|moment| moment.as_secs_f64() <= end + 1e-6));
            }
        }
    }
}
