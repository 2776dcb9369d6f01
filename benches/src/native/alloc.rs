//! jemalloc, with a counter that is off unless a run asks for it.

use std::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};
use tikv_jemallocator::Jemalloc;

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The global allocator of every contender: jemalloc, which also replaces C's `malloc`.
///
/// While counting is off it costs one relaxed load per allocation, the same for every contender.
#[derive(Debug)]
pub struct Counting;

/// Starts counting at zero. Reallocations count as one each; frees do not count.
pub fn count_allocations() {
    ALLOCATIONS.store(0, Relaxed);
    COUNTING.store(true, Relaxed);
}

/// Allocations of all threads since [`count_allocations`].
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Relaxed)
}

fn count() {
    if COUNTING.load(Relaxed) {
        ALLOCATIONS.fetch_add(1, Relaxed);
    }
}

// SAFETY: every call is handed on unchanged to jemalloc, which keeps GlobalAlloc's contract; counting
// touches two atomics, allocates nothing and cannot unwind.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is the one jemalloc asks for.
        unsafe { Jemalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { Jemalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from this allocator, so from jemalloc, with this layout.
        unsafe { Jemalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: as for `dealloc`; the caller promises that `new_size` is not zero.
        unsafe { Jemalloc.realloc(pointer, layout, new_size) }
    }
}
