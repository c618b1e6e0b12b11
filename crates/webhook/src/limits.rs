//! Every number of the server, with its range.

use std::time::Duration;

/// What bounds a server. [`Limits::check`] tells a number that is out of its range.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a review; 1 KiB to 256 MiB. A tenant can make the API server send 18 MiB (a 3 MiB object of characters
    /// that JSON writes in six bytes), so a smaller limit than that refuses what the cluster takes.
    pub body: usize,
    /// Bytes of all large reviews (over 64 KiB) held at once; at least `body`, up to 4 GiB.
    pub bodies: usize,
    /// Values in a review: bounds the memory that parsing it takes; 1,000 to 100,000,000.
    pub values: usize,
    /// Levels of nesting in a review; 16 to 1,000.
    pub depth: usize,
    /// Connections at once; 1 to 100,000. When there are more, the one that has been idle longest goes.
    pub connections: usize,
    /// Reviews at once, waiting and judged; 1 to 100,000. Further ones are refused at once.
    pub concurrency: usize,
    /// Streams at once on one HTTP/2 connection; 1 to 10,000.
    pub streams: u32,
    /// Bytes of the headers of a request; 8 KiB to 1 MiB.
    pub headers: usize,
    /// Time for the TLS handshake; 100 ms to 1 min.
    pub handshake_time: Duration,
    /// Time for the headers of a request; 100 ms to 1 min.
    pub header_time: Duration,
    /// Time for the body of a request; 100 ms to 1 min.
    pub body_time: Duration,
    /// Time in which a client must take a part of an answer; 100 ms to 1 min.
    pub write_time: Duration,
    /// Time after which a connection without a request is closed; 1 s to 1 h. Longer than the API server keeps its own
    /// idle connections (90 s), so that no request meets a closing one.
    pub idle_time: Duration,
    /// Deadline of a review whose request names none (`?timeout=`); 100 ms to 30 s.
    pub default_deadline: Duration,
    /// Time one constraint may take on one object; 1 ms to 30 s.
    pub constraint_time: Duration,
    /// Bytes that the values may take which one constraint makes while it judges one object; 1 MiB to 64 GiB.
    pub memory: usize,
    /// Threads that judge; 1 to 1,024.
    pub threads: usize,
    /// Bytes of one message in an answer; 64 to 1 MiB.
    pub message: usize,
    /// Messages in an answer, and warnings; 1 to 10,000.
    pub messages: usize,
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            body: 32 * MIB,
            bodies: 96 * MIB,
            values: 1_000_000,
            depth: 1_000,
            connections: 4_096,
            concurrency: 1_024,
            streams: 250,
            headers: 64 * KIB,
            handshake_time: Duration::from_secs(5),
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(10),
            write_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(180),
            default_deadline: Duration::from_secs(10),
            constraint_time: Duration::from_secs(1),
            memory: regent_rego::Limits::default().memory,
            threads: std::thread::available_parallelism()
                .map_or(2, usize::from)
                .clamp(2, 1_024),
            message: 8 * KIB,
            messages: 100,
        }
    }
}

impl Limits {
    /// The first number that is out of its range.
    ///
    /// # Errors
    /// The flag's name, the number and the range.
    pub fn check(&self) -> Result<(), String> {
        let counts = [
            ("max-body", self.body, KIB, 256 * MIB),
            ("max-bodies", self.bodies, self.body, 4_096 * MIB),
            ("max-values", self.values, 1_000, 100_000_000),
            ("max-memory", self.memory, MIB, 65_536 * MIB),
            ("max-depth", self.depth, 16, 1_000),
            ("max-connections", self.connections, 1, 100_000),
            ("max-concurrency", self.concurrency, 1, 100_000),
            ("max-streams", self.streams as usize, 1, 10_000),
            ("max-headers", self.headers, 8 * KIB, MIB),
            ("threads", self.threads, 1, 1_024),
            ("max-message", self.message, 64, MIB),
            ("max-messages", self.messages, 1, 10_000),
        ];
        for (name, value, least, most) in counts {
            if !(least..=most).contains(&value) {
                return Err(format!("--{name} {value}: expected {least} to {most}"));
            }
        }
        let (short, minute) = (Duration::from_millis(100), Duration::from_secs(60));
        let (second, half) = (Duration::from_secs(1), Duration::from_secs(30));
        let times = [
            ("handshake-time", self.handshake_time, short, minute),
            ("header-time", self.header_time, short, minute),
            ("body-time", self.body_time, short, minute),
            ("write-time", self.write_time, short, minute),
            ("idle-time", self.idle_time, second, minute * 60),
            ("default-deadline", self.default_deadline, short, half),
            ("timeout", self.constraint_time, Duration::from_millis(1), half),
        ];
        for (name, value, least, most) in times {
            if !(least..=most).contains(&value) {
                return Err(format!("--{name} {value:?}: expected {least:?} to {most:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_in_range_and_a_number_out_of_it_is_named() {
        assert_eq!(Limits::default().check(), Ok(()));
        let small = Limits {
            body: 10,
            ..Limits::default()
        };
        assert_eq!(small.check().unwrap_err(), "--max-body 10: expected 1024 to 268435456");
        let long = Limits {
            header_time: Duration::from_secs(61),
            ..Limits::default()
        };
        assert_eq!(long.check().unwrap_err(), "--header-time 61s: expected 100ms to 60s");
    }
}
