//! How far the evening is, on standard error: a bar on a terminal, a line now and then elsewhere.

use std::{
    io::IsTerminal as _,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::{sync::oneshot, task::JoinHandle, time::sleep};

use crate::fan::Crowd;

/// Between two looks at the counts, on a terminal.
const BAR_PERIOD: Duration = Duration::from_millis(200);
/// Between two lines, elsewhere.
const LINE_PERIOD: Duration = Duration::from_secs(5);

/// A display that runs until it is finished.
#[derive(Debug)]
pub(crate) struct Progress {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

/// What to show: how many are done, and some words.
type Look = fn(&Crowd) -> (u64, String);

impl Progress {
    pub(crate) fn accounts(crowd: Arc<Crowd>, fans: usize) -> Self {
        Self::start(crowd, fans, "accounts", |crowd| (crowd.tallies.accounts.load(Relaxed), String::new()))
    }

    pub(crate) fn fans(crowd: Arc<Crowd>, fans: usize) -> Self {
        Self::start(crowd, fans, "fans", |crowd| {
            let count = &crowd.tallies;
            let words = format!(
                "joined {} · admitted {} · bought {} ({} tickets) · sold out {} · left {} · lost {}",
                count.joined.load(Relaxed),
                count.admitted.load(Relaxed),
                count.bought.load(Relaxed),
                count.tickets.load(Relaxed),
                count.sold_out.load(Relaxed),
                count.left.load(Relaxed),
                count.lost.load(Relaxed),
            );
            (count.done(), words)
        })
    }

    fn start(crowd: Arc<Crowd>, fans: usize, name: &'static str, look: Look) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = if std::io::stderr().is_terminal() {
            tokio::spawn(bar(crowd, fans, name, look, stopped))
        } else {
            tokio::spawn(lines(crowd, fans, name, look, stopped))
        };
        Self { stop, task }
    }

    /// Shows the last state and ends.
    pub(crate) async fn finish(self) {
        // a display that died already has nothing to say
        self.stop.send(()).ok();
        self.task.await.ok();
    }
}

async fn bar(crowd: Arc<Crowd>, fans: usize, name: &'static str, look: Look, mut stopped: oneshot::Receiver<()>) {
    let bar = ProgressBar::new(fans as u64).with_prefix(name);
    if let Ok(style) = ProgressStyle::with_template("{prefix:>9} {bar:30} {pos}/{len} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    loop {
        let (done, words) = look(&crowd);
        bar.set_position(done);
        bar.set_message(words);
        tokio::select! {
            _ = &mut stopped => break,
            () = sleep(BAR_PERIOD) => {}
        }
    }
    let (done, words) = look(&crowd);
    bar.set_position(done);
    bar.abandon_with_message(words);
}

async fn lines(crowd: Arc<Crowd>, fans: usize, name: &'static str, look: Look, mut stopped: oneshot::Receiver<()>) {
    loop {
        let over = tokio::select! {
            _ = &mut stopped => true,
            () = sleep(LINE_PERIOD) => false,
        };
        let (done, words) = look(&crowd);
        eprintln!("{name} {done}/{fans} {words}");
        if over {
            return;
        }
    }
}
