//! A fan is a socket, and every socket is an open file: raise the soft limit to the hard one.

/// Raises this process's limit on open files as far as it may go. Failing changes nothing: `onsale doctor`
/// shows the limit, and the server's own `max_connections` stays the cap.
#[allow(unsafe_code)] // two calls into libc with a struct on our own stack; std has no such call
pub(crate) fn raise() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for reads and writes and outlives both calls.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// The soft limit on open files, after [`raise`]; `None` when the system does not say.
#[allow(unsafe_code)]
pub(crate) fn limit() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes and outlives the call.
    let done = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (done == 0).then_some(limit.rlim_cur)
}
