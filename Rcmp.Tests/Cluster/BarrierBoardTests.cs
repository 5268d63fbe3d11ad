using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Status;

namespace Rcmp.Tests.Cluster;

public sealed class BarrierBoardTests
{
    private const long Second = 1_000_000_000;

    private readonly BarrierBoard<string> _board = new();

    [Fact]
    public void TheLastToComeOpensItForAllAtOnceWithWhatNode0Said()
    {
        Assert.Equal([1, 2], Assert.Single(Arrive(0, nodes: 3, text: "here")).Answer.Missing);
        Assert.Equal([1], Assert.Single(Arrive(2, nodes: 3, text: "not this")).Answer.Missing);

        var answers = Arrive(1, nodes: 3);

        Assert.Equal(["node 0", "node 1", "node 2"], answers.Select(a => a.To).Order());
        Assert.All(answers, a => Assert.Equal((BarrierStatus.Open, "here"), (a.Answer.Status, a.Answer.Text)));
    }

    [Fact]
    public void WhoHasNotHeardThatItIsOpenIsToldAgainWhenItRepeats()
    {
        Arrive(0, text: "here");
        Arrive(1);

        var answer = Assert.Single(Arrive(0, text: "here", at: Second)).Answer;

        Assert.Equal((BarrierStatus.Open, "here"), (answer.Status, answer.Text));
    }

    [Fact]
    public void TheNextRunMeetsAnewAtABarrierThatWasOpen()
    {
        Arrive(0, text: "first");
        Arrive(1);

        Assert.Equal(BarrierStatus.Waiting, Assert.Single(Arrive(0, run: 10, text: "second", at: Second)).Answer.Status);
        Assert.All(Arrive(1, run: 11, at: Second), a => Assert.Equal("second", a.Answer.Text));
    }

    [Fact]
    public void OneThatIsSilentDoesNotWaitAnyMore()
    {
        Arrive(0);
        var late = BarrierBoard.WaitsNs + 1;

        Assert.Equal([0], Assert.Single(Arrive(1, at: late)).Answer.Missing);
        // Another process may take its number.
        Assert.Equal(2, Arrive(0, run: 10, at: late + Second).Count);
    }

    [Fact]
    public void ANumberThatIsTakenAndAnotherCountAreRefusedByName()
    {
        Arrive(0, nodes: 2);

        Assert.Equal(BarrierStatus.Taken, Assert.Single(Arrive(0, run: 10)).Answer.Status);
        var other = Assert.Single(Arrive(1, nodes: 3)).Answer;
        Assert.Equal((BarrierStatus.OtherCount, 2), (other.Status, other.Nodes));
        Assert.Equal(2, Arrive(1, nodes: 2).Count);
    }

    [Theory]
    [InlineData(0, 0, "b", "")]
    [InlineData(2, 2, "b", "")]
    [InlineData(2, -1, "b", "")]
    [InlineData(BarrierBoard.NodesMax + 1, 0, "b", "")]
    [InlineData(2, 0, "", "")]
    public void WhatMakesNoSenseIsRefused(int nodes, int node, string barrier, string text) =>
        Assert.Equal(BarrierStatus.Refused, Assert.Single(_board.Arrive(new ArriveAtBarrier(new RequestId(1), barrier, nodes, node, 1, text), "", 0)).Answer.Status);

    [Fact]
    public void BarriersThatNobodyWaitsAtAreForgottenAndThereIsALimitForTheRest()
    {
        for (var i = 0; i < BarrierBoard.BarriersMax; i++) Assert.Equal(BarrierStatus.Waiting, Assert.Single(Arrive(0, barrier: $"b{i}")).Answer.Status);

        Assert.Equal(BarrierStatus.Refused, Assert.Single(Arrive(0, barrier: "one more")).Answer.Status);
        Assert.Equal(BarrierStatus.Waiting, Assert.Single(Arrive(0, barrier: "one more", at: BarrierBoard.WaitsNs + 1)).Answer.Status);
    }

    private IReadOnlyList<(string To, BarrierAnswered Answer)> Arrive(int node, int nodes = 2, ulong? run = null, string text = "", string barrier = "bench", long at = 0) =>
        _board.Arrive(new ArriveAtBarrier(new RequestId((ulong)node + 1), barrier, nodes, node, run ?? (ulong)node + 1, text), $"node {node}", at);
}
