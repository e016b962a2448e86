//! Named places where a test can end the process on the spot, as a power cut would: between any two steps that
//! must not be torn apart.
//!
//! Built with the feature `failpoints`, the variable `FAILPOINTS` says where: `sell.committed=return` at the first
//! passing, `sell.committed=2*off->1*return` at the third. Without the feature nothing is left of them.
//! <https://docs.rs/fail/0.5/fail/#usage>

/// Reads `FAILPOINTS`; they work as long as what is returned lives.
#[cfg(feature = "failpoints")]
pub fn armed() -> impl Sized {
    struct Armed(#[expect(dead_code, reason = "disarms when dropped")] fail::FailScenario<'static>);
    Armed(fail::FailScenario::setup())
}

/// Ends the process here when the test wants it so.
#[cfg(feature = "failpoints")]
pub fn point(name: &str) {
    fail::fail_point!(name, |_| {
        eprintln!("crash point {name}");
        std::process::abort()
    });
}

#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn point(_name: &str) {}
