//! The memory of the process.

/// Returns free memory to the system, which takes some milliseconds. After a flood of connections, glibc would keep
/// about a hundred MiB for good, in pieces between the memory in use (SECURITY R6). Other allocators do this by
/// themselves.
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
