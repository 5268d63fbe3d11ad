using System.Diagnostics;
using Rcmp.Cluster.Actors;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Tests.Workers;

/// <summary>Ends the process by SIGKILL when one of its directory shards has come to the step that is set.</summary>
internal sealed class StepObserver(StepFiles files) : IShardObserver
{
    public bool Hears(ShardId shard, IPoolProtocol message)
    {
        if (message is not OrderAnswered answer || files.Armed is not { } step || step.Page != answer.Page) return true;
        if (step.Point == StepPoint.Answered && step.Order == answer.Order) End();
        return !(step.LosesPulled && answer.Order == OrderKind.Pull);
    }

    public void Sends(ShardId shard, IPoolProtocol message)
    {
        // The first that a shard says in each of its reigns.
        if (message is AskRows) files.Host(shard);
        if (message is PageOrder order && files.Armed is { Point: StepPoint.Sending } step && step.Page == order.Page && step.Order == order.Order) End();
    }

    private void End()
    {
        if (!files.Claim()) return;
        Process.GetCurrentProcess().Kill();
        // The signal may take a moment: nothing of the step happens meanwhile.
        Thread.Sleep(Timeout.Infinite);
    }
}
