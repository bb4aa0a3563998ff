//! A whole connection on one core, both ends: open, one byte each way, close, TIME-WAIT, and the
//! same four-tuple again.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidewheel_benches::Pair;

fn connection(c: &mut Criterion) {
    let mut group = c.benchmark_group("connection");
    group.throughput(Throughput::Elements(1));
    for tuples in [1 << 10, 1 << 16, 1 << 20] {
        for (name, ipv6, timestamps) in [
            ("timestamps", false, true),
            ("plain", false, false),
            ("IPv6 timestamps", true, true),
            ("IPv6 plain", true, false),
        ] {
            let mut pair = Pair::over(ipv6, tuples, 64, timestamps, 60_000);
            pair.run(tuples.into(), 1_000);
            group.bench_function(BenchmarkId::new(name, tuples), |b| {
                b.iter_custom(|connections| {
                    let start = std::time::Instant::now();
                    pair.run(connections, 1_000);
                    start.elapsed()
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, connection);
criterion_main!(benches);
