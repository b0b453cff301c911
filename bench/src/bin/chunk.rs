//! One received chunk, whole: completion, decoding with all checks, its bytes, and back through the refill
//! ring. Run by `bench/count`, which counts the instructions of [`measured`].

use zcrx_sys::ring::{CompletionQueue, CqeLayout};
use zcrx_sys::twin::{CompletionTwin, InstanceTwin};
use zcrx_sys::zcrx::Ifq;

/// Chunks in one drain.
const BATCH: u32 = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let layout = match arguments.next().as_deref() {
        Some("wide") => CqeLayout::Wide,
        Some("mixed") => CqeLayout::Mixed,
        other => panic!("expected wide or mixed, not {other:?}"),
    };
    let mut number = |what| -> u32 { arguments.next().expect(what).parse().expect("a number") };
    let (areas, rounds) = (number("how many areas"), number("how many rounds"));
    let (mut kernel, mut ifq) =
        InstanceTwin::new((BATCH / areas).max(1), 4 * BATCH).expect("memory");
    for _ in 1..areas {
        kernel
            .add_area(&ifq, (BATCH / areas).max(1))
            .expect("memory");
    }
    let mut posts = CompletionTwin::new(layout, 4 * BATCH, 0);
    // SAFETY: posts outlives the queue, and keeps to the kernel's side.
    let mut queue = unsafe { posts.queue() };
    let mut sum = 0;
    for _ in 0..rounds {
        for n in 0..BATCH {
            kernel.receive(&mut posts, 7, &[n as u8; 64]).expect("room");
        }
        sum += measured(&mut queue, &mut ifq);
        assert_eq!(kernel.refill().returned, BATCH);
    }
    assert_eq!(sum, u64::from(rounds) * u64::from(BATCH * (BATCH - 1) / 2));
}

/// One drain; answers the sum of the chunks' first bytes.
#[inline(never)]
fn measured(queue: &mut CompletionQueue, ifq: &mut Ifq) -> u64 {
    let mut sum = 0;
    for cqe in queue.drain() {
        let Ok(cqe) = cqe else { continue };
        // SAFETY: all completions are those of requests for this instance; each is taken once.
        if let Ok(chunk) = unsafe { ifq.take(&cqe) } {
            sum += u64::from(ifq.bytes(&chunk)[0]);
            if ifq.recycle(chunk).is_err() {
                return 0;
            }
        }
    }
    ifq.publish();
    sum
}
