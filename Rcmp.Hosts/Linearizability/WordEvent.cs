namespace Rcmp.Hosts.Linearizability;

/// <summary>What is done to a word of 8 bytes.</summary>
internal enum WordOperation
{
    Read,
    Write,
    CompareExchange,
    FetchAdd,
    Exchange,
}

/// <summary>One operation of a history.</summary>
/// <param name="Key">Which word.</param>
/// <param name="Process">Who; for explanations only.</param>
/// <param name="Operation">What.</param>
/// <param name="Argument">What is written, stored or added.</param>
/// <param name="Comparand">Of a compare-and-swap.</param>
/// <param name="Result">What was read; nothing for a write, and for an unknown outcome.</param>
/// <param name="Invoked">When it began, by a clock that all processes share.</param>
/// <param name="Returned">When it ended; <see cref="Unknown"/> if its outcome is not known: it may take effect at any time after it began, or never.</param>
internal readonly record struct WordEvent(
    ulong Key, int Process, WordOperation Operation, ulong Argument, ulong Comparand, ulong Result, long Invoked, long Returned)
{
    public const long Unknown = long.MaxValue;

    public bool IsUnknown => Returned == Unknown;

    /// <summary>The word after the operation.</summary>
    public ulong Apply(ulong value) => Operation switch
    {
        WordOperation.Write or WordOperation.Exchange => Argument,
        WordOperation.FetchAdd => unchecked(value + Argument),
        WordOperation.CompareExchange when value == Comparand => Argument,
        _ => value,
    };

    /// <summary>Whether it could have had this result on a word with that value.</summary>
    public bool Fits(ulong value) => IsUnknown || Operation == WordOperation.Write || Result == value;

    public override string ToString()
    {
        var call = Operation switch
        {
            WordOperation.Read => "read",
            WordOperation.Write => $"write {Argument}",
            WordOperation.CompareExchange => $"cas {Comparand} {Argument}",
            WordOperation.FetchAdd => $"faa {Argument}",
            _ => $"xchg {Argument}",
        };
        var result = IsUnknown ? "unknown" : Operation == WordOperation.Write ? "done" : $"{Result}";
        return $"process {Process}: {call} -> {result} [{Invoked}, {(IsUnknown ? "..." : Returned)}]";
    }
}

/// <summary>How a check ended.</summary>
internal enum LinearizabilityVerdict
{
    Linearizable,
    NotLinearizable,
    /// <summary>Too many orders to try.</summary>
    Undecided,
}

/// <summary>The answer of <see cref="LinearizabilityChecker"/>.</summary>
/// <param name="Verdict">How it ended.</param>
/// <param name="Key">The word, if it is not linearizable or undecided.</param>
/// <param name="Explanation">Where the longest attempt to put the operations into an order got stuck.</param>
/// <param name="Operations">How many operations were checked.</param>
/// <param name="States">How many states were looked at.</param>
internal sealed record LinearizabilityResult(LinearizabilityVerdict Verdict, ulong Key, string Explanation, long Operations, long States);
