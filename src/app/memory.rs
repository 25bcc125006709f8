//! The process' memory.

/// Gives what is free back to the system. After a flood of connections glibc would keep a hundred MiB in pieces
/// between what is still in use, for good (SECURITY R6). Takes some milliseconds; other allocators see to it themselves.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "glibc's malloc_trim has no safe wrapper; it takes no pointer and may be called at any time"
)]
pub fn give_back() {
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn give_back() {}
