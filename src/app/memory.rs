//! Returns the memory of the process to the system.

/// Returns free memory to the system, which takes a few milliseconds. Otherwise glibc keeps about a hundred MiB for
/// good after a flood of connections, in gaps between the memory in use (SECURITY R6). Other allocators return memory
/// on their own.
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
