using Rcmp.Hosts.Bench.Compare;

namespace Rcmp.Tests.Hosts;

public sealed class CompareRowTests
{
    [Theory]
    [InlineData("ns", RatioKind.Cost, 30, 20, 1.5)]
    [InlineData("ns", RatioKind.SpeedUp, 20, 300, 15)]
    [InlineData("1/s", RatioKind.SpeedUp, 380, 100, 3.8)]
    [InlineData("1/s", RatioKind.Cost, 80, 100, 1.25)]
    public void TheRatioIsACostOrASpeedUpWhateverTheUnit(string unit, object kind, double measured, double baseline, double ratio) =>
        Assert.Equal(ratio, Row(unit, (RatioKind)kind, measured, baseline).Ratio);

    [Fact]
    public void ACostAboveItsFloorAndASpeedUpBelowAreBehind()
    {
        Assert.True((Row("ns", RatioKind.Cost, 16, 10) with { Floor = 1.6 }).Met);
        Assert.False((Row("ns", RatioKind.Cost, 17, 10) with { Floor = 1.6 }).Met);
        Assert.True((Row("1/s", RatioKind.SpeedUp, 17, 10) with { Floor = 1.7 }).Met);
        Assert.False((Row("1/s", RatioKind.SpeedUp, 16, 10) with { Floor = 1.7 }).Met);
    }

    [Fact]
    public void WhatCouldNotBeMeasuredIsNotBehind()
    {
        Assert.True((Row("ns", RatioKind.SpeedUp, 10, 0) with { Floor = 15, Skipped = "g++ is missing" }).Met);
        Assert.False((Row("ns", RatioKind.SpeedUp, 10, 0) with { Floor = 15 }).Met);
    }

    [Fact]
    public void AReportedValueAboveItsLimitIsToldAndDoesNotFailTheRun()
    {
        var within = CompareRow.Limited("page move", 1_900_000, TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(1));
        var above = CompareRow.Limited("page move", 2_100_000, TimeSpan.FromMilliseconds(2), TimeSpan.FromMilliseconds(1));
        Assert.True(within.Met);
        Assert.False(above.Met);
        Assert.False(above.FailsRun);
        Assert.True((Row("B/s", RatioKind.SpeedUp, 80, 100) with { Floor = 0.85 }).FailsRun);
    }

    private static CompareRow Row(string unit, RatioKind kind, double measured, double baseline) =>
        new() { What = "a", Against = "b", Unit = unit, Kind = kind, Measured = measured, Baseline = baseline };
}
