//! As loom has it.
//!
//! loom sees accesses to its own types alone. Entries of rings are plain memory behind raw pointers, and have to be:
//! the kernel's are. So each entry has a shadow, an empty loom cell: whoever is about to read or write the entry says
//! so ([`reads`], [`writes`]), which counts as an access to the shadow, and loom fails the model if another thread's
//! access to it is not ordered with this one. That finds what a look at the data cannot: in a model plain memory
//! changes at once, so a weak ordering never shows as a torn or stale entry. (A cell type in the place of the
//! entries would do the same, but show in public signatures, and not fit slots without a type of their own.)

use core::ptr::NonNull;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::{Condvar, Mutex};

pub(crate) use core::sync::atomic::Ordering;
pub(crate) use loom::sync::atomic::{fence, AtomicBool, AtomicPtr, AtomicU32, AtomicUsize};

/// What models know of by its address. One for all threads of a model: loom runs them in a single one.
#[derive(Default)]
struct World {
    shadows: BTreeMap<usize, Rc<UnsafeCell<()>>>,
    sleepers: BTreeMap<usize, Rc<Sleepers>>,
}

#[derive(Default)]
struct Sleepers {
    bucket: Mutex<()>,
    wakes: Condvar,
}

std::thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

/// Runs `test` in every order in which a thread is interrupted at most `preemptions` times where it could go on
/// (`LOOM_MAX_PREEMPTIONS` overrides). Nearly all errors show with two, and the orders are many times more with
/// each one more.
pub(crate) fn model(preemptions: usize, test: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    let runs = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = runs.clone();
    builder.check(move || {
        // What the last run left is of no use in this one.
        WORLD.take();
        counted.fetch_add(1, Ordering::Relaxed);
        test();
    });
    std::println!("{} orders", runs.load(Ordering::Relaxed));
}

/// Gives `count` entries at `first` their shadows.
pub(crate) fn track<T>(first: NonNull<T>, count: usize) {
    WORLD.with_borrow_mut(|world| {
        for n in 0..count {
            let at = first.as_ptr() as usize + n * size_of::<T>();
            world.shadows.insert(at, Rc::new(UnsafeCell::new(())));
        }
    });
}

fn shadow<T>(of: NonNull<T>) -> Rc<UnsafeCell<()>> {
    let at = of.as_ptr() as usize;
    let shadow = WORLD.with_borrow(|world| world.shadows.get(&at).cloned());
    shadow.expect("an entry is tracked before it is used")
}

#[track_caller]
pub(crate) fn reads<T>(at: NonNull<T>) {
    shadow(at).with(|_| ());
}

#[track_caller]
pub(crate) fn writes<T>(at: NonNull<T>) {
    shadow(at).with_mut(|_| ());
}

fn sleepers(on: &AtomicU32) -> Rc<Sleepers> {
    let at = core::ptr::from_ref(on) as usize;
    WORLD.with_borrow_mut(|world| world.sleepers.entry(at).or_default().clone())
}

/// The kernel compares and goes to sleep under the lock of the bucket that the word hashes to (`futex_wait_setup`),
/// which the one who wakes takes too. So nobody sleeps on if he should not; and loom fails a model in which all do.
pub(crate) fn futex_wait(word: &AtomicU32, value: u32) {
    let sleepers = sleepers(word);
    let bucket = sleepers.bucket.lock().unwrap();
    // Relaxed: what was written before a wake-up is seen, because that took the bucket's lock.
    if word.load(Ordering::Relaxed) == value {
        drop(sleepers.wakes.wait(bucket).unwrap());
    }
}

pub(crate) fn futex_wake_one(word: &AtomicU32) {
    let sleepers = sleepers(word);
    let _bucket = sleepers.bucket.lock().unwrap();
    sleepers.wakes.notify_one();
}
