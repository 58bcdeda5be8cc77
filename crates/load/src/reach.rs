//! Load goes to this machine alone, unless its user says that another machine's operator agreed.

use std::net::{IpAddr, UdpSocket};

/// Where clients may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Addresses of this machine.
    ThisMachine,
    /// Any.
    Anywhere,
}

impl Reach {
    /// Whether clients may talk to this address.
    #[must_use]
    pub fn includes(self, ip: IpAddr) -> bool {
        // Only addresses of this machine can be bound.
        self == Self::Anywhere || UdpSocket::bind((ip, 0)).is_ok()
    }

    /// An answer without the candidates that are out of reach; `None` if all of them are.
    #[must_use]
    pub fn filter(self, answer: &str) -> Option<String> {
        let mut kept = 0;
        let mut text = String::with_capacity(answer.len());
        for line in answer.lines() {
            if line.starts_with("a=candidate:") {
                if !candidate_ip(line).is_some_and(|ip| self.includes(ip)) {
                    continue;
                }
                kept += 1;
            }
            text.push_str(line);
            text.push_str("\r\n");
        }
        (kept > 0).then_some(text)
    }
}

/// The address of `a=candidate:<foundation> <component> <transport> <priority> <address> …` (RFC 8839 section 5.1).
fn candidate_ip(line: &str) -> Option<IpAddr> {
    line.split_ascii_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_told_from_others() {
        for (ip, is_local) in [("127.0.0.1", true), ("127.8.8.8", true), ("192.0.2.1", false)] {
            assert_eq!(Reach::ThisMachine.includes(ip.parse().unwrap()), is_local, "{ip}");
            assert!(Reach::Anywhere.includes(ip.parse().unwrap()));
        }
    }

    #[test]
    fn candidates_of_other_machines_are_left_out() {
        let near = "a=candidate:1 1 udp 2130706175 127.0.0.1 9 typ host\r\n";
        let far = "a=candidate:2 1 udp 2130706175 192.0.2.1 9 typ host\r\n";
        let both = format!("v=0\r\n{near}{far}a=mid:0\r\n");
        let left = Reach::ThisMachine.filter(&both).unwrap();
        assert_eq!(left, format!("v=0\r\n{near}a=mid:0\r\n"));
        assert_eq!(Reach::ThisMachine.filter(&format!("v=0\r\n{far}")), None);
        assert_eq!(Reach::Anywhere.filter(&both), Some(both));
    }
}
