using System.Collections.Concurrent;
using Rcmp.Protocol;

namespace Rcmp.Runtime;

/// <summary>Destroys connections: each waits for the native service threads to let go of them, so it is not done under the host's lock.</summary>
internal sealed class FenceWorker : IDisposable
{
    private readonly BlockingCollection<(ulong Ticket, Action Work)> _jobs = [];
    private readonly Action<IRackEvent> _post;
    private readonly Thread _thread;

    public FenceWorker(Action<IRackEvent> post)
    {
        _post = post;
        _thread = new Thread(Run) { IsBackground = true, Name = "rcmp-fence" };
        _thread.Start();
    }

    public void Enqueue(ulong ticket, Action work) => _jobs.Add((ticket, work));

    public void Dispose()
    {
        _jobs.CompleteAdding();
        _thread.Join();
        _jobs.Dispose();
    }

    private void Run()
    {
        foreach (var (ticket, work) in _jobs.GetConsumingEnumerable())
        {
            work();
            _post(new FenceEnded(ticket));
        }
    }
}
