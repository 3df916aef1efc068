//! What an input costs, counted and not timed: blocks of code that ran, and bytes that were asked of the allocator. Both
//! have to stay in proportion to the input, so that no body costs quadratic time or room.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::target::Target;

/// A bound: `base` and so much for each byte of the input.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Blocks of code in any case.
    pub steps: u64,
    /// And for each byte.
    pub steps_per_byte: u64,
    /// Bytes allocated in any case, freed or not.
    pub room: u64,
    /// And for each byte.
    pub room_per_byte: u64,
}

/// What something cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Blocks of code.
    pub steps: u64,
    /// Bytes allocated.
    pub room: u64,
}

static mut STEPS: u64 = 0;
static ROOM: AtomicU64 = AtomicU64::new(0);

/// Called by every block of instrumented code (`-sanitizer-coverage-trace-pc`). No function may be called here: it would
/// be instrumented itself.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_pc() {
    // SAFETY: targets run on one thread; on another a count could be lost, and nothing else.
    unsafe { STEPS = STEPS.wrapping_add(1) }
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ROOM.fetch_add(layout.size() as u64, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        ROOM.fetch_add(layout.size() as u64, Relaxed);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ROOM.fetch_add(size as u64, Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` and says what it cost.
pub fn of(work: impl FnOnce()) -> Spent {
    // SAFETY: as above.
    let (steps, room) = (unsafe { STEPS }, ROOM.load(Relaxed));
    work();
    Spent { steps: unsafe { STEPS }.wrapping_sub(steps), room: ROOM.load(Relaxed) - room }
}

/// Runs a target on an input, within its bounds.
pub fn bounded(target: &Target, data: &[u8]) {
    let spent = of(|| (target.run)(data));
    let (length, cost) = (data.len() as u64, target.cost);
    let most =
        Spent { steps: cost.steps + cost.steps_per_byte * length, room: cost.room + cost.room_per_byte * length };
    if std::env::var_os("FUZZ_COST").is_some() {
        eprintln!("{length} bytes: {} steps of {}, {} of room {}", spent.steps, most.steps, spent.room, most.room);
    }
    assert!(
        spent.steps <= most.steps && spent.room <= most.room,
        "{length} bytes cost {} steps and {} bytes of memory; expected {} and {} at most",
        spent.steps,
        spent.room,
        most.steps,
        most.room
    );
}
