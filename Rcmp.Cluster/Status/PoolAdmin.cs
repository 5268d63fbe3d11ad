using System.Security.Cryptography;
using Akka.Actor;
using Rcmp.Cluster.Configuration;
using Rcmp.Cluster.Messages;
using Rcmp.Cluster.Nodes;
using Rcmp.Protocol;
using Rcmp.Protocol.Messages;

namespace Rcmp.Cluster.Status;

/// <summary>An operator's connection to any node of a pool, without membership and without a session.</summary>
internal sealed class PoolAdmin : IAsyncDisposable
{
    private static readonly TimeSpan RepeatInterval = TimeSpan.FromMilliseconds(250);

    private readonly ActorSystem _system;

    public PoolAdmin(string host = "127.0.0.1") =>
        _system = SystemConfig.Start("rcmp-admin", SystemConfig.ForClient(host, 0, "fast"), null, "rcmp.node.host");

    /// <summary>The pool as the node at the address sees it.</summary>
    /// <exception cref="PoolNotConnectedException">The node does not answer in time.</exception>
    public Task<PoolStatusAnswered> QueryStatusAsync(NodeAddress node, TimeSpan timeout, CancellationToken ct = default)
    {
        var request = NewRequest();
        return AskAsync<PoolStatusAnswered>(node, _ => new AskPoolStatus(request), answer => answer.Request == request, timeout, ct);
    }

    /// <summary>Removes a rack from the pool, whatever it holds; its generation is refused for ever.</summary>
    public Task<AdminAnswered> ForgetRackAsync(NodeAddress node, RackId rack, TimeSpan timeout, CancellationToken ct = default)
    {
        var request = NewRequest();
        return AskAsync<AdminAnswered>(node, replyTo => new ForgetRack(request, replyTo, rack), answer => answer.Request == request, timeout, ct);
    }

    /// <summary>Empties a rack, then removes it.</summary>
    public Task<AdminAnswered> DrainRackAsync(NodeAddress node, RackId rack, TimeSpan timeout, CancellationToken ct = default)
    {
        var request = NewRequest();
        return AskAsync<AdminAnswered>(node, replyTo => new DrainRack(request, replyTo, rack), answer => answer.Request == request, timeout, ct);
    }

    /// <summary>Waits at a barrier of the cluster until all have come. Not open means that it was not within the time, or could not be: the answer says why.</summary>
    /// <param name="node">Any node of the pool.</param>
    /// <param name="arrival">Who comes to which barrier; its request is given here.</param>
    /// <param name="waiting">Hears who is missing, again and again.</param>
    /// <param name="timeout">For all to come.</param>
    /// <param name="ct">Ends the wait.</param>
    /// <exception cref="PoolNotConnectedException">There was no answer at all.</exception>
    public async Task<BarrierAnswered> PassBarrierAsync(NodeAddress node, ArriveAtBarrier arrival, Action<BarrierAnswered> waiting, TimeSpan timeout, CancellationToken ct)
    {
        var request = NewRequest();
        BarrierAnswered? last = null;
        try
        {
            return await AskAsync<BarrierAnswered>(node, _ => arrival with { Request = request }, IsAnswer, timeout, ct).ConfigureAwait(false);
        }
        catch (PoolNotConnectedException) when (Volatile.Read(ref last) is { } told)
        {
            return told;
        }

        bool IsAnswer(BarrierAnswered answer)
        {
            if (answer.Request != request) return false;
            Volatile.Write(ref last, answer);
            if (answer.Status != BarrierStatus.Waiting) return true;
            waiting(answer);
            return false;
        }
    }

    public async ValueTask DisposeAsync() => await EndedSystem.TerminateAsync(_system).ConfigureAwait(false);

    private async Task<T> AskAsync<T>(NodeAddress node, Func<string, IPoolProtocol> question, Func<T, bool> isAnswer, TimeSpan timeout, CancellationToken ct)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        var asker = _system.ActorOf(Props.Create(() => new Asker<T>(node, question, isAnswer, answer)));
        try
        {
            return await answer.Task.WaitAsync(timeout, ct).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            throw new PoolNotConnectedException($"The node at {node} does not answer within {Quantity.FormatDuration(timeout)}; is it running?");
        }
        finally
        {
            _system.Stop(asker);
        }
    }

    private static RequestId NewRequest() => new(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))));

    /// <summary>Asks until it is answered: a node that has just started refuses the first connection.</summary>
    private sealed class Asker<T> : ReceiveActor, IWithTimers
    {
        public Asker(NodeAddress node, Func<string, IPoolProtocol> question, Func<T, bool> isAnswer, TaskCompletionSource<T> answer)
        {
            var address = ((ExtendedActorSystem)Context.System).Provider.DefaultAddress.ToString();
            var message = question(address + "/user/" + Self.Path.Name);
            var target = Context.ActorSelection(Paths.On(node.Akka, Paths.Admin));
            Receive<T>(reply =>
            {
                if (isAnswer(reply)) answer.TrySetResult(reply);
            });
            Receive<string>(_ => target.Tell(message, Self));
        }

        public ITimerScheduler Timers { get; set; } = null!;

        protected override void PreStart() => Timers.StartPeriodicTimer("ask", "ask", TimeSpan.Zero, RepeatInterval);
    }
}
