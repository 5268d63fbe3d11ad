using CsCheck;
using Rcmp.Hosts.Linearizability;

namespace Rcmp.Tests.Linearizability;

public class LinearizabilityTests
{
    private const long Never = WordEvent.Unknown;

    private static WordEvent Read(long from, long to, ulong result, ulong key = 1) => new(key, 1, WordOperation.Read, 0, 0, result, from, to);

    private static WordEvent Write(long from, long to, ulong value, ulong key = 1) => new(key, 2, WordOperation.Write, value, 0, 0, from, to);

    private static WordEvent Add(long from, long to, ulong delta, ulong result) => new(1, 3, WordOperation.FetchAdd, delta, 0, result, from, to);

    private static WordEvent Cas(long from, long to, ulong comparand, ulong value, ulong result) => new(1, 4, WordOperation.CompareExchange, value, comparand, result, from, to);

    private static WordEvent Swap(long from, long to, ulong value, ulong result) => new(1, 5, WordOperation.Exchange, value, 0, result, from, to);

    private static LinearizabilityVerdict Judge(params WordEvent[] history) => LinearizabilityChecker.Check(history).Verdict;

    [Fact]
    public void OperationsOneAfterTheOtherWithTheirResultsAreAccepted() => Assert.Equal(
        LinearizabilityVerdict.Linearizable,
        Judge(Read(1, 2, 0), Write(3, 4, 7), Read(5, 6, 7), Add(7, 8, 3, 7), Cas(9, 10, 10, 1, 10), Cas(11, 12, 10, 2, 1), Swap(13, 14, 5, 1), Read(15, 16, 5)));

    [Fact]
    public void OperationsAtTheSameTimeMayComeInAnyOrder() =>
        Assert.Equal(LinearizabilityVerdict.Linearizable, Judge(Write(1, 10, 7), Read(2, 3, 7), Read(4, 9, 7), Write(2, 20, 8), Read(11, 12, 8)));

    [Fact]
    public void AStaleReadIsRejected() => Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Write(1, 2, 7), Read(3, 4, 0)));

    [Fact]
    public void AReadThatGoesBackIsRejected() =>
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Write(1, 10, 7), Read(2, 3, 7), Read(4, 5, 0)));

    [Fact]
    public void ALostUpdateIsRejected() => Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Add(1, 4, 1, 0), Add(2, 5, 1, 0), Read(6, 7, 1)));

    [Fact]
    public void AnAtomicThatWasCarriedOutTwiceIsRejected() => Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Add(1, 4, 1, 1), Read(6, 7, 2)));

    [Fact]
    public void TwoCompareAndSwapsThatBothWinAreRejected() =>
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Cas(1, 4, 0, 5, 0), Cas(2, 5, 0, 6, 0)));

    [Fact]
    public void AValueOutOfThinAirIsRejected() => Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Write(1, 2, 7), Read(1, 3, 9)));

    [Fact]
    public void AWriteThatWasAcknowledgedAndIsNotThereIsRejected() =>
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Write(1, 2, 7), Write(3, 4, 8), Read(5, 6, 7)));

    [Fact]
    public void AnUnknownOutcomeMayTakeEffectLateOrNever()
    {
        Assert.Equal(LinearizabilityVerdict.Linearizable, Judge(Write(1, Never, 7), Read(2, 3, 0), Read(50, 51, 7)));
        Assert.Equal(LinearizabilityVerdict.Linearizable, Judge(Write(1, Never, 7), Read(2, 3, 0), Read(50, 51, 0)));
        Assert.Equal(LinearizabilityVerdict.Linearizable, Judge(Add(1, Never, 1, 0), Add(2, Never, 2, 0), Read(3, 4, 2)));
    }

    [Fact]
    public void AnUnknownOutcomeTakesEffectOnceAndNotBeforeItBegan()
    {
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Add(1, Never, 1, 0), Read(3, 4, 2)));
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Read(1, 2, 7), Write(3, Never, 7)));
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, Judge(Write(1, Never, 7), Read(2, 3, 7), Read(4, 5, 0)));
    }

    [Fact]
    public void WordsAreJudgedOneByOneAndTheWrongOneIsNamed()
    {
        var result = LinearizabilityChecker.Check([Write(1, 2, 7, key: 3), Read(3, 4, 7, key: 3), Write(1, 2, 7, key: 9), Read(3, 4, 8, key: 9)]);
        Assert.Equal((LinearizabilityVerdict.NotLinearizable, 9ul), (result.Verdict, result.Key));
        Assert.Contains("read -> 8", result.Explanation, StringComparison.Ordinal);
    }

    [Fact]
    public void TheValueBeforeTheHistoryCanBeGiven()
    {
        Assert.Equal(LinearizabilityVerdict.Linearizable, LinearizabilityChecker.Check([Read(1, 2, 5)], _ => 5).Verdict);
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, LinearizabilityChecker.Check([Read(1, 2, 0)], _ => 5).Verdict);
    }

    [Fact]
    public void ASearchThatTakesTooLongIsNotAnAnswer() =>
        Assert.Equal(LinearizabilityVerdict.Undecided, LinearizabilityChecker.Check([Add(1, 9, 1, 0), Add(1, 9, 1, 1), Add(1, 9, 1, 2)], statesMax: 2).Verdict);

    [Fact]
    public void ALongHistoryOfManyProcessesTakesAMoment()
    {
        var random = new Random(5);
        var history = Executed(random, 20_000, processes: 8, unknownShare: 0.002);
        Assert.Equal(LinearizabilityVerdict.Linearizable, LinearizabilityChecker.Check(history).Verdict);

        // One read in the middle that saw what nobody wrote.
        var at = history.FindIndex(10_000, e => e is { Operation: WordOperation.Read, IsUnknown: false });
        history[at] = history[at] with { Result = history[at].Result + 1_000_000_007 };
        Assert.Equal(LinearizabilityVerdict.NotLinearizable, LinearizabilityChecker.Check(history).Verdict);
    }

    [Fact]
    public void WhatWasReallyExecutedIsAlwaysAccepted() => Gen.Int.Sample(
        seed => LinearizabilityChecker.Check(Executed(new Random(seed), 60, processes: 5, unknownShare: 0.1)).Verdict == LinearizabilityVerdict.Linearizable, iter: 2000);

    [Fact]
    public void TheCheckerAgreesWithTryingAllOrders()
    {
        long accepted = 0, rejected = 0;
        Gen.Int.Sample(
            seed =>
            {
                // Few values and a disturbed result, so that both answers are frequent.
                var random = new Random(seed);
                var history = Executed(random, random.Next(2, 7), processes: 4, unknownShare: 0.25, values: 3);
                for (var i = random.Next(3); i > 0; i--)
                {
                    var at = random.Next(history.Count);
                    history[at] = history[at] with { Result = (ulong)random.Next(3) };
                }

                var expected = SomeOrderFits(history, 0);
                if (expected) Interlocked.Increment(ref accepted);
                else Interlocked.Increment(ref rejected);
                return (LinearizabilityChecker.Check(history).Verdict == LinearizabilityVerdict.Linearizable) == expected;
            },
            iter: 20_000);
        Assert.True(accepted > 1000 && rejected > 1000, $"{accepted} accepted, {rejected} rejected");
    }

    /// <summary>A history of operations that were executed, each at one instant between its call and its return.</summary>
    private static List<WordEvent> Executed(Random random, int count, int processes, double unknownShare, int values = int.MaxValue)
    {
        var free = new long[processes];
        var planned = new List<(int Process, long From, long At, long To)>();
        for (var i = 0; i < count; i++)
        {
            var process = random.Next(processes);
            var from = free[process] + random.Next(1, 10);
            var at = from + random.Next(0, 10);
            free[process] = at + random.Next(0, 10);
            planned.Add((process, from, at, free[process]));
        }

        ulong word = 0;
        var history = new List<WordEvent>();
        foreach (var (process, from, at, to) in planned.OrderBy(p => p.At))
        {
            var unknown = random.NextDouble() < unknownShare;
            var made = new WordEvent(1, process, (WordOperation)random.Next(5), (ulong)random.Next(values), random.Next(2) == 0 ? word : (ulong)random.Next(values), 0, from, to);
            history.Add(made with { Result = unknown ? 0 : word, Returned = unknown ? Never : to });
            if (!unknown || random.Next(2) == 0) word = made.Apply(word);
        }

        return history;
    }

    private static bool SomeOrderFits(List<WordEvent> left, ulong value)
    {
        if (left.TrueForAll(e => e.IsUnknown)) return true;
        for (var i = 0; i < left.Count; i++)
        {
            var next = left[i];
            if (left.Exists(e => e.Returned < next.Invoked) || !next.Fits(value)) continue;
            if (SomeOrderFits([.. left.Where((_, j) => j != i)], next.Apply(value))) return true;
        }

        return false;
    }
}
