//! Memory: how much this process may have, and what fits into it.
//!
//! A pod has a few hundred megabytes. What is over its limit is not refused by anybody: the process is gone, and with it
//! every tenant's requests. So what strangers can make us hold, connections and large bodies, is kept below it.

use std::fs;

/// What one idle client connection costs: buffers of 8 KiB for either direction, and the state of HTTP; 34 KiB in all, by
/// the resident memory of a process with 9,000 of them.
const CONNECTION: u64 = 40 << 10;

/// The least that is left to connections and to bodies, whatever the limit says: below it nothing could be done.
const LEAST: u64 = 16 << 20;

/// The memory that this process may have, in bytes: by its control groups, by its own limits, or what the machine has;
/// `None` where nobody says.
pub fn limit() -> Option<u64> {
    [group(), own(), machine()].into_iter().flatten().min()
}

/// What bodies may take of a limit at once. A half: the rest is for connections, what is remembered of tenants, and what
/// the allocator keeps for the next time.
pub fn for_bodies(limit: u64) -> u64 {
    (limit / 2).max(LEAST)
}

/// What of `connections` fits into a limit. A quarter of it is theirs.
pub fn fit(limit: u64, connections: usize) -> usize {
    let room = (limit / 4).max(LEAST) / CONNECTION;
    connections.min(usize::try_from(room).unwrap_or(usize::MAX))
}

/// By the control groups of version 2 and 1: the group of this process and those above it, as far as they are mounted. In
/// a container the one at the top is its own.
fn group() -> Option<u64> {
    const MOUNTS: [(&str, &str); 2] =
        [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mut limits = Vec::new();
    for line in groups.lines() {
        // Number, controllers, path; version 2 names no controllers.
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let version_1 = controllers.split(',').any(|name| name == "memory");
        if !version_1 && !controllers.is_empty() {
            continue;
        }
        let (mount, file) = MOUNTS[usize::from(version_1)];
        for (end, _) in path.match_indices('/').chain([(path.len(), "")]) {
            let text = fs::read_to_string(format!("{mount}{}/{file}", path.get(..end).unwrap_or_default()));
            limits.extend(text.ok().and_then(|text| text.trim().parse::<u64>().ok()));
        }
    }
    limits.into_iter().min()
}

/// `ulimit -v` and `ulimit -d`.
#[cfg(unix)]
fn own() -> Option<u64> {
    let limits = [rlimit::Resource::AS, rlimit::Resource::DATA];
    limits.into_iter().filter_map(|resource| resource.get_soft().ok()).filter(|limit| *limit < rlimit::INFINITY).min()
}

#[cfg(not(unix))]
fn own() -> Option<u64> {
    None
}

fn machine() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_and_bodies_leave_a_quarter_of_a_pod() {
        const POD: u64 = 256 << 20;
        assert_eq!(fit(POD, 10_000), 1638);
        assert_eq!(fit(POD, 100), 100);
        assert_eq!(fit(8 << 30, 10_000), 10_000);
        assert!(fit(POD, 10_000) as u64 * CONNECTION + for_bodies(POD) <= POD / 4 * 3);
        assert_eq!(for_bodies(0), LEAST);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_machine_has_some() {
        assert!(limit().is_some_and(|limit| limit > 0));
    }
}
