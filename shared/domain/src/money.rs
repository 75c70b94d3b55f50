//! Money in whole minor units. No float ever touches an amount.

use std::fmt;
use std::str::FromStr;

use crate::limits::AMOUNT_MINOR_MAX;

/// A currency by its ISO 4217 letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// An amount of money in the minor units of ISO 4217 (paise for INR, cents for EUR, yen for JPY).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "RawMoney", into = "RawMoney")]
pub struct Money {
    minor: u64,
    currency: Currency,
}

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMoney {
    amount: u64,
    currency: Currency,
}

impl TryFrom<RawMoney> for Money {
    type Error = MoneyError;

    fn try_from(raw: RawMoney) -> Result<Self, MoneyError> {
        Self::new(raw.amount, raw.currency)
    }
}

impl From<Money> for RawMoney {
    fn from(money: Money) -> Self {
        Self { amount: money.minor, currency: money.currency }
    }
}

/// Why something is not an amount of money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not three capital letters.
    #[error("a currency is three capital letters")]
    Currency,
    /// Two amounts of different currencies.
    #[error("the currencies differ")]
    CurrencyMismatch,
    /// More than [`AMOUNT_MINOR_MAX`].
    #[error("an amount is at most {AMOUNT_MINOR_MAX} minor units")]
    TooMuch,
}

impl Money {
    /// `minor` units of `currency`.
    ///
    /// # Errors
    ///
    /// [`MoneyError::TooMuch`] above [`AMOUNT_MINOR_MAX`].
    pub fn new(minor: u64, currency: Currency) -> Result<Self, MoneyError> {
        if minor > AMOUNT_MINOR_MAX {
            return Err(MoneyError::TooMuch);
        }
        Ok(Self { minor, currency })
    }

    /// How many minor units.
    #[must_use]
    pub fn minor(self) -> u64 {
        self.minor
    }

    /// Of what currency.
    #[must_use]
    pub fn currency(self) -> Currency {
        self.currency
    }

    /// Whether `other` is as much of the same currency, or more.
    #[must_use]
    pub fn is_covered_by(self, other: Self) -> bool {
        self.currency == other.currency && self.minor <= other.minor
    }

    /// Adds two amounts of one currency.
    ///
    /// # Errors
    ///
    /// [`MoneyError::CurrencyMismatch`] if the currencies differ, [`MoneyError::TooMuch`] if the
    /// sum is above the limit. Neither rounds nor saturates.
    pub fn checked_add(self, other: Self) -> Result<Self, MoneyError> {
        if self.currency != other.currency {
            return Err(MoneyError::CurrencyMismatch);
        }
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::TooMuch)?;
        Self::new(minor, self.currency)
    }
}

impl Currency {
    /// The three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is made from ASCII letters only")
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        match *text.as_bytes() {
            [a, b, c] if text.bytes().all(|byte| byte.is_ascii_uppercase()) => Ok(Self([a, b, c])),
            _ => Err(MoneyError::Currency),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(text: String) -> Result<Self, MoneyError> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inr(minor: u64) -> Money {
        Money::new(minor, "INR".parse().unwrap()).unwrap()
    }

    #[test]
    fn only_equal_currencies_add_up_and_never_past_the_limit() {
        let yen = Money::new(1, "JPY".parse().unwrap()).unwrap();
        assert_eq!(inr(45_000).checked_add(inr(1)), Ok(inr(45_001)));
        assert_eq!(inr(1).checked_add(yen), Err(MoneyError::CurrencyMismatch));
        assert_eq!(inr(AMOUNT_MINOR_MAX).checked_add(inr(1)), Err(MoneyError::TooMuch));
        assert_eq!(Money::new(AMOUNT_MINOR_MAX + 1, inr(0).currency()), Err(MoneyError::TooMuch));
    }

    #[test]
    fn as_much_or_more_of_the_same_currency_covers_an_amount() {
        let yen = Money::new(500, "JPY".parse().unwrap()).unwrap();
        for (other, covers) in [(inr(499), false), (inr(500), true), (inr(501), true), (yen, false)]
        {
            assert_eq!(inr(500).is_covered_by(other), covers, "{other:?}");
        }
    }

    #[test]
    fn a_currency_is_three_capital_letters() {
        for text in ["", "IN", "inr", "INRR", "1NR", "₹"] {
            assert_eq!(text.parse::<Currency>(), Err(MoneyError::Currency), "{text:?}");
        }
        let rupee: Currency = "INR".parse().unwrap();
        assert_eq!((rupee.as_str(), String::from(rupee).as_str()), ("INR", "INR"));
        assert_eq!(format!("{rupee:?}"), "INR");
    }
}
