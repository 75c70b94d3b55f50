//! Our amounts in a provider's numbers, and back. Whole numbers only, and no rounding: an amount
//! that a provider cannot take is refused before anybody is asked to pay it.

use domain::money::{Currency, Money};

use super::ProviderError;

/// How a provider's number for an amount follows from ours, the minor units of ISO 4217.
#[derive(Clone, Copy)]
enum Scale {
    /// It is the same.
    Same,
    /// It is the same, and ends in 0: of three decimals, card networks carry two.
    SameTensOnly,
    /// It counts hundredths of our unit.
    Hundredths,
    /// It counts hundreds of our unit.
    Hundreds,
}

impl Scale {
    fn theirs(self, minor: u64) -> Option<u64> {
        match self {
            Self::Same => Some(minor),
            Self::SameTensOnly => minor.is_multiple_of(10).then_some(minor),
            Self::Hundredths => minor.checked_mul(100),
            Self::Hundreds => minor.is_multiple_of(100).then_some(minor / 100),
        }
    }

    fn ours(self, amount: u64) -> Option<u64> {
        match self {
            Self::Same | Self::SameTensOnly => Some(amount),
            Self::Hundredths => amount.is_multiple_of(100).then_some(amount / 100),
            Self::Hundreds => amount.checked_mul(100),
        }
    }

    fn pay(self, money: Money) -> Result<u64, ProviderError> {
        let (minor, currency) = (money.minor(), money.currency());
        self.theirs(minor).ok_or_else(|| {
            ProviderError::Nonsense(format!("{minor} minor units of {currency:?} cannot be paid"))
        })
    }

    fn paid(self, amount: u64, currency: Currency) -> Result<Money, ProviderError> {
        let minor = self.ours(amount).ok_or_else(|| {
            ProviderError::Nonsense(format!("{amount} is no amount of {currency:?}"))
        })?;
        Ok(Money::new(minor, currency)?)
    }
}

/// Stripe's number for `money`.
pub(super) fn to_stripe(money: Money) -> Result<u64, ProviderError> {
    stripe(money.currency()).pay(money)
}

/// What Stripe means by `amount` of `currency`.
pub(super) fn from_stripe(amount: u64, currency: Currency) -> Result<Money, ProviderError> {
    stripe(currency).paid(amount, currency)
}

/// Razorpay's number for `money`.
pub(super) fn to_razorpay(money: Money) -> Result<u64, ProviderError> {
    razorpay(money.currency()).pay(money)
}

/// What Razorpay means by `amount` of `currency`.
pub(super) fn from_razorpay(amount: u64, currency: Currency) -> Result<Money, ProviderError> {
    razorpay(currency).paid(amount, currency)
}

/// Stripe counts as ISO 4217 does, but for three currencies (Stripe, "Supported currencies"):
/// Icelandic krónur and Ugandan shillings have no decimals and are still counted in hundredths
/// ("Special cases": the shilling's place among the zero-decimal currencies is overruled there),
/// Malagasy ariary are counted whole ("Zero-decimal currencies"). What that page says of HUF and
/// TWD is about payouts. That three decimals end in 0 is in its edition of 2023 ("Three-decimal
/// currencies").
fn stripe(currency: Currency) -> Scale {
    match currency.as_str() {
        "BHD" | "JOD" | "KWD" | "OMR" | "TND" => Scale::SameTensOnly,
        "ISK" | "UGX" => Scale::Hundredths,
        "MGA" => Scale::Hundreds,
        _as_in_iso_4217 => Scale::Same,
    }
}

/// Razorpay counts as ISO 4217 does (Razorpay, "International Payments", "Supported Currencies",
/// which lists exponents), and three decimals end in 0 (Razorpay API, "Create an Order").
fn razorpay(currency: Currency) -> Scale {
    match currency.as_str() {
        "BHD" | "IQD" | "JOD" | "KWD" | "OMR" | "TND" => Scale::SameTensOnly,
        _as_in_iso_4217 => Scale::Same,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO_DECIMALS: [&str; 14] = [
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "VND", "VUV", "XAF", "XOF",
        "XPF",
    ];
    const THREE_DECIMALS: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

    fn currency(letters: &str) -> Currency {
        letters.parse().unwrap()
    }

    fn money(minor: u64, letters: &str) -> Money {
        Money::new(minor, currency(letters)).unwrap()
    }

    #[track_caller]
    fn check_stripe(letters: &str, minor: u64, amount: u64) {
        assert_eq!(to_stripe(money(minor, letters)).unwrap(), amount, "{letters}");
        assert_eq!(from_stripe(amount, currency(letters)).unwrap(), money(minor, letters));
    }

    #[track_caller]
    fn check_razorpay(letters: &str, minor: u64) {
        assert_eq!(to_razorpay(money(minor, letters)).unwrap(), minor, "{letters}");
        assert_eq!(from_razorpay(minor, currency(letters)).unwrap(), money(minor, letters));
    }

    #[test]
    fn stripe_counts_most_currencies_as_iso_4217_does() {
        for letters in ["INR", "USD", "EUR", "HUF", "TWD"].into_iter().chain(ZERO_DECIMALS) {
            check_stripe(letters, 0, 0);
            check_stripe(letters, 1_045, 1_045);
        }
    }

    #[test]
    fn stripe_counts_kronur_and_shillings_in_hundredths_and_ariary_whole() {
        check_stripe("ISK", 5, 500);
        check_stripe("UGX", 5, 500);
        check_stripe("MGA", 500, 5);
        assert!(to_stripe(money(501, "MGA")).is_err());
        for letters in ["ISK", "UGX"] {
            for amount in [1, 499, 501] {
                assert!(from_stripe(amount, currency(letters)).is_err(), "{letters} {amount}");
            }
        }
    }

    #[test]
    fn three_decimals_end_in_zero() {
        for letters in THREE_DECIMALS {
            check_stripe(letters, 5_120, 5_120);
            check_razorpay(letters, 5_120);
            for minor in [1, 5_121, 5_129] {
                assert!(to_stripe(money(minor, letters)).is_err(), "{letters} {minor}");
                assert!(to_razorpay(money(minor, letters)).is_err(), "{letters} {minor}");
            }
        }
        assert!(to_razorpay(money(5_121, "IQD")).is_err());
    }

    #[test]
    fn razorpay_counts_as_iso_4217_does() {
        for letters in
            ["INR", "USD", "HUF", "TWD", "ISK", "UGX", "MGA"].iter().chain(&ZERO_DECIMALS)
        {
            check_razorpay(letters, 0);
            check_razorpay(letters, 1_045);
        }
    }

    #[test]
    fn an_amount_beyond_every_limit_is_refused_and_does_not_overflow() {
        for letters in ["INR", "ISK", "MGA", "KWD"] {
            assert!(from_stripe(u64::MAX, currency(letters)).is_err(), "{letters}");
            assert!(from_razorpay(u64::MAX, currency(letters)).is_err(), "{letters}");
        }
    }
}
