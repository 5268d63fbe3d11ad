using System.Collections.Concurrent;
using System.Diagnostics;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Event;
using Rcmp.Cluster.Transport;

namespace Rcmp.Tests.Transport;

public sealed class DueTimeSchedulerTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly DueTimeScheduler _scheduler = new(Config.Empty, NoLogger.Instance);
    private readonly BlockingCollection<string> _heard = [];

    private IActionScheduler Scheduler => ((IScheduler)_scheduler).Advanced;

    public void Dispose()
    {
        _scheduler.Dispose();
        _heard.Dispose();
    }

    [Fact]
    public void WhatIsDueFirstComesFirst()
    {
        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(200), () => _heard.Add("late"));
        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(20), () => _heard.Add("soon"));
        Scheduler.ScheduleOnce(TimeSpan.Zero, () => _heard.Add("now"));
        Assert.Equal(["now", "soon", "late"], Hear(3));
    }

    [Fact]
    public void WhatIsRepeatedComesUntilItIsCancelledAndAFailureStopsNothing()
    {
        var cancel = new Cancelable(Scheduler);
        Scheduler.ScheduleRepeatedly(TimeSpan.Zero, TimeSpan.FromMilliseconds(5), () =>
        {
            _heard.Add("again");
            throw new InvalidOperationException("a bad callback");
        }, cancel);
        Hear(5);
        cancel.Cancel();
        // Whatever was under way when it was cancelled is over once this has come twice.
        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(50), () => _heard.Add("end"));
        while (Hear(1)[0] != "end")
        {
        }

        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(50), () => _heard.Add("end"));
        Assert.Equal(["end"], Hear(1));
    }

    [Fact]
    public void WhatIsRepeatedSeldomComesAtMultiplesOfATenthOfASecondAndAtItsIntervalOnAverage()
    {
        var tenth = Stopwatch.Frequency / 10;
        var random = new Random(20261129);
        for (var i = 0; i < 1000; i++)
        {
            var (from, interval) = (random.NextInt64(1L << 40), random.NextInt64(Stopwatch.Frequency / 2, 20 * Stopwatch.Frequency));
            var next = DueTimeScheduler.Next(from, interval);
            Assert.Equal(0, next % tenth);
            Assert.InRange(next, from + interval - tenth / 2, from + interval + tenth / 2);
        }

        // Half a second is a multiple: whoever is there once stays there.
        Assert.Equal(12 * tenth, DueTimeScheduler.Next(7 * tenth, 5 * tenth));
        Assert.Equal(7 + tenth, DueTimeScheduler.Next(7, tenth));
    }

    [Fact]
    public void TheSchedulersThreadRunsTheActorsThatItTells()
    {
        var lane = new ActorLane();
        _scheduler.LendTo(lane);
        Scheduler.ScheduleOnce(TimeSpan.Zero, () => lane.Execute(new Says(_heard)));
        Assert.Equal(["rcmp-scheduler"], Hear(1));
    }

    [Fact]
    public void AfterItsEndNothingIsTakenOrDone()
    {
        Scheduler.ScheduleOnce(TimeSpan.FromMilliseconds(30), () => _heard.Add("never"));
        _scheduler.Dispose();
        Assert.Throws<SchedulerException>(() => Scheduler.ScheduleOnce(TimeSpan.Zero, () => { }));
        Assert.False(_heard.TryTake(out _, TimeSpan.FromMilliseconds(100)));
    }

    private List<string> Hear(int count)
    {
        var heard = new List<string>();
        while (heard.Count < count)
        {
            Assert.True(_heard.TryTake(out var next, Patience), $"heard only {string.Join(", ", heard)}");
            heard.Add(next);
        }

        return heard;
    }

    private sealed class Says(BlockingCollection<string> heard) : IRunnable
    {
        public void Run() => heard.Add(Thread.CurrentThread.Name!);

        public void Execute() => Run();
    }
}
